import type { Database } from '../database.js';
import type { LedgerEntry } from './ledger-row.js';
import type { Numbered, ToldOrigins } from './told-origins.js';

/** Longer than a topic keeps a record: what could be told again is found. */
const lookBackMs = 45 * 86_400_000;

// A plan that was made while the table was small would read all of it for every batch later on.
const onlyByIndex = 'SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off';

// By an index that is there for other questions: one over the ids themselves is random and costs a third of the speed of
// writing. The same fact has the same origin, or is about the same entity.
const byOrigin = `
  SELECT w.n::int AS n FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::int[]) AS w (t, p, o, id, n)
  CROSS JOIN LATERAL (
    SELECT 1 FROM ledger.audit_record r
    WHERE r.origin_topic = w.t AND r.origin_partition = w.p AND r.origin_offset = w.o AND r.audit_id = w.id
      AND r.recorded_at >= $6
    LIMIT 1) AS told`;

const byEntity = `
  SELECT w.n::int AS n FROM unnest($1::text[], $2::text[], $3::int[]) AS w (entity, id, n)
  CROSS JOIN LATERAL (
    SELECT 1 FROM ledger.audit_record r WHERE r.entity = w.entity AND r.audit_id = w.id AND r.recorded_at >= $4
    LIMIT 1) AS told`;

type Batch = ReadonlyArray<{ readonly entry: LedgerEntry }>;

/**
 * Which entries of a batch tell a fact that an earlier one, or the ledger, tells already. The positions of the batch's
 * partitions must be held: a fact has one key, so it always comes in the same partition.
 */
export async function findRepeats(query: Database['query'], batch: Batch, told: ToldOrigins): Promise<Set<number>> {
  const repeats = new Set<number>();
  const ids = new Set<string>();
  const ofOrigins: Numbered[] = [];
  const ofEntities: Numbered[] = [];
  for (const [n, { entry }] of batch.entries()) {
    const { record } = entry;
    if (ids.has(record.auditId)) repeats.add(n);
    ids.add(record.auditId);
    if (record.originTopic !== null) ofOrigins.push({ n, record });
    else if (record.entity !== null) ofEntities.push({ n, record });
  }
  const doubtful = await told.doubtful(query, ofOrigins);
  if (doubtful.length === 0 && ofEntities.length === 0) return repeats;
  const since = new Date(Math.min(...batch.map(({ entry }) => entry.timestampMs)) - lookBackMs).toISOString();
  await query(onlyByIndex);
  if (doubtful.length > 0)
    await addTold(query, repeats, 'ledger-told-origin', byOrigin, originColumns(doubtful, since));
  if (ofEntities.length > 0)
    await addTold(query, repeats, 'ledger-told-entity', byEntity, entityColumns(ofEntities, since));
  return repeats;
}

async function addTold(
  query: Database['query'],
  repeats: Set<number>,
  name: string,
  statement: string,
  values: unknown[],
): Promise<void> {
  for (const { n } of await query<{ n: number }>(statement, values, name)) repeats.add(n);
}

const originColumns = (wanted: readonly Numbered[], since: string): unknown[] => [
  wanted.map(({ record }) => asKept(record.originTopic)),
  wanted.map(({ record }) => record.originPartition),
  wanted.map(({ record }) => record.originOffset),
  wanted.map(({ record }) => asKept(record.auditId)),
  wanted.map(({ n }) => n),
  since,
];

const entityColumns = (wanted: readonly Numbered[], since: string): unknown[] => [
  wanted.map(({ record }) => asKept(record.entity)),
  wanted.map(({ record }) => asKept(record.auditId)),
  wanted.map(({ n }) => n),
  since,
];

const asKept = (text: string | null): string | undefined => text?.replaceAll('\0', '\uFFFD');
