import type { Database } from '../database.js';
import type { RowFact } from './prepared-batch.js';
import type { ToldOrigins } from './told-origins.js';

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

/**
 * Which rows tell a fact that an earlier one, or the ledger, tells already. The positions of their partitions must be held: a
 * fact has one key, so it always comes in the same partition.
 */
export async function findRepeats(
  query: Database['query'],
  facts: readonly RowFact[],
  told: ToldOrigins,
): Promise<Set<RowFact>> {
  const repeats = new Set<RowFact>();
  const ids = new Set<string>();
  const ofOrigins: RowFact[] = [];
  const ofEntities: RowFact[] = [];
  for (const fact of facts) {
    if (ids.has(fact.auditId)) repeats.add(fact);
    ids.add(fact.auditId);
    if (fact.originTopic !== null) ofOrigins.push(fact);
    else if (fact.entity !== null) ofEntities.push(fact);
  }
  const doubtful = await told.doubtful(query, ofOrigins);
  if (doubtful.length === 0 && ofEntities.length === 0) return repeats;
  const since = new Date(Math.min(...facts.map(({ timestampMs }) => timestampMs)) - lookBackMs).toISOString();
  await query(onlyByIndex);
  const add = async (name: string, statement: string, wanted: readonly RowFact[], columns: unknown[]) => {
    const numbers = wanted.map((_, n) => n);
    for (const { n } of await query<{ n: number }>(statement, [...columns, numbers, since], name))
      repeats.add(wanted[n] as RowFact);
  };
  if (doubtful.length > 0) await add('ledger-told-origin', byOrigin, doubtful, originColumns(doubtful));
  if (ofEntities.length > 0) await add('ledger-told-entity', byEntity, ofEntities, entityColumns(ofEntities));
  return repeats;
}

const originColumns = (wanted: readonly RowFact[]): unknown[] => [
  wanted.map(({ originTopic }) => asKept(originTopic)),
  wanted.map(({ originPartition }) => originPartition),
  wanted.map(({ originOffset }) => originOffset),
  wanted.map(({ auditId }) => asKept(auditId)),
];

const entityColumns = (wanted: readonly RowFact[]): unknown[] => [
  wanted.map(({ entity }) => asKept(entity)),
  wanted.map(({ auditId }) => asKept(auditId)),
];

const asKept = (text: string | null): string | undefined => text?.replaceAll('\0', '\uFFFD');
