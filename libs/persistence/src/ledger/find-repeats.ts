import type { Database } from '../database.js';
import type { LedgerEntry } from './ledger-row.js';

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

interface Wanted {
  readonly n: number;
  readonly record: LedgerEntry['record'];
}

/**
 * Which entries of a batch tell a fact that an earlier one, or the ledger, tells already. The positions of the batch's
 * partitions must be held: a fact has one key, so it always comes in the same partition.
 */
export async function findRepeats(query: Database['query'], batch: Batch): Promise<Set<number>> {
  const repeats = new Set<number>();
  const ids = new Set<string>();
  for (const [n, { entry }] of batch.entries()) {
    if (ids.has(entry.record.auditId)) repeats.add(n);
    ids.add(entry.record.auditId);
  }
  const wanted = batch.map(({ entry: { record } }, n) => ({ n, record }));
  const since = new Date(Math.min(...batch.map(({ entry }) => entry.timestampMs)) - lookBackMs).toISOString();
  await query(onlyByIndex);
  for (const n of await toldByOrigin(query, wanted, since)) repeats.add(n);
  for (const n of await toldOfEntity(query, wanted, since)) repeats.add(n);
  return repeats;
}

async function toldByOrigin(query: Database['query'], all: readonly Wanted[], since: string): Promise<number[]> {
  const wanted = all.filter(({ record }) => record.originTopic !== null);
  if (wanted.length === 0) return [];
  const rows = await query<{ n: number }>(
    byOrigin,
    [
      wanted.map(({ record }) => record.originTopic?.replaceAll('\0', '\uFFFD')),
      wanted.map(({ record }) => record.originPartition),
      wanted.map(({ record }) => record.originOffset),
      wanted.map(({ record }) => record.auditId.replaceAll('\0', '\uFFFD')),
      wanted.map(({ n }) => n),
      since,
    ],
    'ledger-told-origin',
  );
  return rows.map(({ n }) => n);
}

async function toldOfEntity(query: Database['query'], all: readonly Wanted[], since: string): Promise<number[]> {
  const wanted = all.filter(({ record }) => record.originTopic === null && record.entity !== null);
  if (wanted.length === 0) return [];
  const rows = await query<{ n: number }>(
    byEntity,
    [
      wanted.map(({ record }) => record.entity?.replaceAll('\0', '\uFFFD')),
      wanted.map(({ record }) => record.auditId.replaceAll('\0', '\uFFFD')),
      wanted.map(({ n }) => n),
      since,
    ],
    'ledger-told-entity',
  );
  return rows.map(({ n }) => n);
}
