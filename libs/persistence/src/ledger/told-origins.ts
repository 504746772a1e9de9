import type { Database } from '../database.js';
import type { RowFact } from './prepared-batch.js';

const lastTold = `
  SELECT w.n::int AS n, (
    SELECT max(r.origin_offset) FROM ledger.audit_record r
    WHERE r.origin_topic = w.t AND r.origin_partition = w.p AND r.audit_partition = w.a
  )::text AS last
  FROM unnest($1::text[], $2::int[], $3::int[], $4::int[]) AS w (t, p, a, n)`;

const mostRemembered = 10_000;

/**
 * How far each partition of the audit topic has told about each partition of each topic. Stages tell about offsets in nearly
 * rising order, so what lies beyond everything told so far cannot be a repeat, and nobody has to look for it: a fact has one
 * key, so it always comes in the same partition.
 */
export class ToldOrigins {
  /** By partition, then by kind of fact, topic and partition: the last origin offset of which something of the kind was told. */
  private readonly last = new Map<number, Map<string, number>>();

  /** Somebody else wrote the partition, or a write failed: what is known may be too little. */
  forget(partition: number): void {
    this.last.delete(partition);
  }

  /** Those that may have been told before. The positions of their partitions must be held. */
  async doubtful(query: Database['query'], facts: readonly RowFact[]): Promise<RowFact[]> {
    const kinds = facts.map(kindOf);
    await this.learn(query, facts, kinds);
    return facts.filter((fact, i) => {
      const known = this.ofPartition(fact.partition);
      const kind = kinds[i] as string;
      if (fact.originOffset <= (known.get(kind) ?? Number.POSITIVE_INFINITY)) return true;
      known.set(kind, fact.originOffset);
      return false;
    });
  }

  private ofPartition(partition: number): Map<string, number> {
    const known = this.last.get(partition);
    if (known) return known;
    const fresh = new Map<string, number>();
    this.last.set(partition, fresh);
    return fresh;
  }

  private async learn(query: Database['query'], facts: readonly RowFact[], kinds: readonly string[]): Promise<void> {
    const unknown = new Map<string, RowFact>();
    for (const [i, fact] of facts.entries()) {
      const kind = kinds[i] as string;
      if (!this.ofPartition(fact.partition).has(kind)) unknown.set(`${fact.partition} ${kind}`, fact);
    }
    if (unknown.size === 0) return;
    const wanted = [...unknown.values()];
    for (const { partition } of wanted) if (this.ofPartition(partition).size >= mostRemembered) this.forget(partition);
    const rows = await query<{ n: number; last: string | null }>(
      lastTold,
      [
        wanted.map(({ originTopic }) => originTopic?.replaceAll('\0', '\uFFFD')),
        wanted.map(({ originPartition }) => originPartition),
        wanted.map(({ partition }) => partition),
        wanted.map((_, n) => n),
      ],
      'ledger-last-told',
    );
    for (const { n, last } of rows) {
      const fact = wanted[n] as RowFact;
      this.ofPartition(fact.partition).set(kindOf(fact), last === null ? -1 : Number(last));
    }
  }
}

const kindOf = ({ action, originPartition, originTopic }: RowFact): string =>
  `${action} ${originPartition} ${originTopic}`;
