import type { Database } from '../database.js';
import type { LedgerEntry } from './ledger-row.js';

/** A record with its place in the batch. */
export interface Numbered {
  readonly n: number;
  readonly record: LedgerEntry['record'];
}

const lastTold = `
  SELECT w.n::int AS n, (
    SELECT max(r.origin_offset) FROM ledger.audit_record r WHERE r.origin_topic = w.t AND r.origin_partition = w.p
  )::text AS last
  FROM unnest($1::text[], $2::int[], $3::int[]) AS w (t, p, n)`;

const mostRemembered = 10_000;

/**
 * How far the ledger has been told about each partition of each topic. Stages tell about offsets in nearly rising order, so
 * what lies beyond everything told so far cannot be a repeat, and nobody has to look for it.
 */
export class ToldOrigins {
  /** By kind of fact, topic and partition: the last origin offset of which something of the kind was told. */
  private last = new Map<string, number>();

  /** Somebody else wrote, or a write failed: what is known may be too little. */
  forget(): void {
    this.last.clear();
  }

  /** Those that may have been told before. The positions of their partitions must be held. */
  async doubtful(query: Database['query'], records: readonly Numbered[]): Promise<Numbered[]> {
    await this.learn(query, records);
    const doubtful: Numbered[] = [];
    for (const one of records) {
      const { originOffset } = one.record;
      const kind = kindOf(one);
      if (originOffset <= (this.last.get(kind) ?? Number.POSITIVE_INFINITY)) doubtful.push(one);
      else this.last.set(kind, originOffset);
    }
    return doubtful;
  }

  private async learn(query: Database['query'], records: readonly Numbered[]): Promise<void> {
    const unknown = new Map<string, Numbered>();
    for (const one of records) {
      const kind = kindOf(one);
      if (!this.last.has(kind)) unknown.set(kind, one);
    }
    if (unknown.size === 0) return;
    if (this.last.size + unknown.size > mostRemembered) this.last.clear();
    const wanted = [...unknown.values()];
    const rows = await query<{ n: number; last: string | null }>(
      lastTold,
      [
        wanted.map(({ record }) => record.originTopic?.replaceAll('\0', '\uFFFD')),
        wanted.map(({ record }) => record.originPartition),
        wanted.map((_, n) => n),
      ],
      'ledger-last-told',
    );
    for (const { n, last } of rows) this.last.set(kindOf(wanted[n] as Numbered), last === null ? -1 : Number(last));
  }
}

const kindOf = ({ record }: Numbered): string => `${record.action} ${record.originPartition} ${record.originTopic}`;
