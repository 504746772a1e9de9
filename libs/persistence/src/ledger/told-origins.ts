import type { Database } from '../database.js';
import type { RowFact } from './prepared-batch.js';

const lastTold = `
  SELECT w.n::int AS n, (
    SELECT max(r.origin_offset) FROM ledger.audit_record r
    WHERE r.origin_topic = w.t AND r.origin_partition = w.p AND r.audit_partition = w.a
  )::text AS last
  FROM unnest($1::text[], $2::int[], $3::int[], $4::int[]) AS w (t, p, a, n)`;

const mostRemembered = 10_000;

/** A kind of fact about a partition of a topic. */
interface Kind {
  /** Undefined: the ledger was not asked yet. */
  lastOffset: number | undefined;
}

/**
 * How far each partition of the audit topic has told about each partition of each topic. Stages tell about offsets in nearly
 * rising order, so what lies beyond everything told so far cannot be a repeat, and nobody has to look for it: a fact has one
 * key, so it always comes in the same partition.
 */
export class ToldOrigins {
  /** By partition, then by the name of the kind. */
  private readonly kinds = new Map<number, Map<string, Kind>>();

  /** Somebody else wrote the partition, or a write failed: what is known may be too little. */
  forget(partition: number): void {
    this.kinds.delete(partition);
  }

  /** Those that may have been told before. The positions of their partitions must be held. */
  async doubtful(query: Database['query'], facts: readonly RowFact[]): Promise<RowFact[]> {
    // Before, never between: facts of one kind must meet the same one.
    for (const [partition, kinds] of this.kinds) if (kinds.size >= mostRemembered) this.forget(partition);
    const kinds = facts.map((fact) => this.kindFor(fact));
    await learn(query, facts, kinds);
    return facts.filter(({ originOffset }, i) => {
      const kind = kinds[i] as Kind;
      if (originOffset <= (kind.lastOffset ?? Number.POSITIVE_INFINITY)) return true;
      kind.lastOffset = originOffset;
      return false;
    });
  }

  private kindFor(fact: RowFact): Kind {
    const ofPartition = this.kinds.get(fact.partition) ?? new Map<string, Kind>();
    if (ofPartition.size === 0) this.kinds.set(fact.partition, ofPartition);
    const name = nameOf(fact);
    const known = ofPartition.get(name);
    if (known) return known;
    const kind: Kind = { lastOffset: undefined };
    ofPartition.set(name, kind);
    return kind;
  }
}

async function learn(query: Database['query'], facts: readonly RowFact[], kinds: readonly Kind[]): Promise<void> {
  const unknown = new Map<Kind, RowFact>();
  for (let i = 0; i < facts.length; i++) {
    const kind = kinds[i] as Kind;
    if (kind.lastOffset === undefined) unknown.set(kind, facts[i] as RowFact);
  }
  if (unknown.size === 0) return;
  const wanted = [...unknown];
  const rows = await query<{ n: number; last: string | null }>(
    lastTold,
    [
      wanted.map(([, { originTopic }]) => originTopic?.replaceAll('\0', '\uFFFD')),
      wanted.map(([, { originPartition }]) => originPartition),
      wanted.map(([, { partition }]) => partition),
      wanted.map((_, n) => n),
    ],
    'ledger-last-told',
  );
  for (const { n, last } of rows) (wanted[n] as [Kind, RowFact])[0].lastOffset = last === null ? -1 : Number(last);
}

const nameOf = ({ action, originPartition, originTopic }: RowFact): string =>
  `${action} ${originPartition} ${originTopic}`;
