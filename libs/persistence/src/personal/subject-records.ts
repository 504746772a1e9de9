import type { Database } from '../database.js';
import type { SealedRow } from './personal-reader.js';

export interface SubjectCounts {
  readonly rows: number;
  readonly events: number;
  readonly deliveries: number;
}

export interface NamedEvent {
  readonly eventSource: string;
  readonly eventId: string;
}

export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** A row of `ledger.fact`. */
export type FactRow = SealedRow & Readonly<Record<string, unknown>>;

const pageRows = 500;

const page = `
  SELECT * FROM ledger.fact
  WHERE subject_index = $1 AND (recorded_at, audit_partition, audit_offset) > ($2::timestamptz, $3::int, $4::bigint)
  ORDER BY recorded_at, audit_partition, audit_offset LIMIT ${pageRows}`;

/** What the ledger has about one data subject, who is named by blind index. */
export class SubjectRecords {
  constructor(private readonly database: Pick<Database, 'query'>) {}

  async count(index: Buffer): Promise<SubjectCounts> {
    const [row] = await this.database.query<{ rows: string; events: string; deliveries: string }>(
      `SELECT count(*)::text AS rows, count(DISTINCT (event_source, event_id))::text AS events,
         count(DISTINCT delivery_id)::text AS deliveries
       FROM ledger.fact WHERE subject_index = $1`,
      [index],
    );
    return { rows: Number(row?.rows), events: Number(row?.events), deliveries: Number(row?.deliveries) };
  }

  async isKnown(index: Buffer): Promise<boolean> {
    const rows = await this.database.query('SELECT 1 FROM ledger.audit_record WHERE subject_index = $1 LIMIT 1', [
      index,
    ]);
    return rows.length > 0;
  }

  /** By what came in for it: what operators did about a tenant is on record under any name they gave. */
  async isTenantKnown(tenant: string): Promise<boolean> {
    const rows = await this.database.query(
      "SELECT 1 FROM ledger.audit_record WHERE tenant = $1 AND stage <> 'operator' LIMIT 1",
      [tenant],
    );
    return rows.length > 0;
  }

  /** Every fact, oldest first, a page in memory at a time. */
  async *facts(index: Buffer): AsyncGenerator<FactRow, void> {
    let after: unknown[] = ['-infinity', -1, -1];
    for (;;) {
      const rows = await this.database.query<FactRow>(page, [index, ...after]);
      yield* rows;
      const last = rows.at(-1);
      if (!last || rows.length < pageRows) return;
      after = [(last.recorded_at as Date).toISOString(), last.audit_partition, last.audit_offset];
    }
  }

  /** Events that are about the subject. */
  async *events(index: Buffer): AsyncGenerator<NamedEvent, void> {
    for await (const { event_source, event_id } of this.facts(index)) {
      if (event_id !== null) yield { eventSource: String(event_source ?? ''), eventId: String(event_id) };
    }
  }

  /** Blind indexes of what is told about these records: what died before its subject was known has one of its own. */
  async indexesOf(places: readonly RecordPlace[]): Promise<Buffer[]> {
    const rows = await this.database.query<{ subject_index: Buffer }>(
      `SELECT DISTINCT r.subject_index FROM ledger.audit_record r
       JOIN unnest($1::text[], $2::int[], $3::bigint[]) AS w (t, p, o)
         ON r.origin_topic = w.t AND r.origin_partition = w.p AND r.origin_offset = w.o
       WHERE r.subject_index IS NOT NULL AND r.event_id IS NOT NULL`,
      [places.map(({ topic }) => topic), places.map(({ partition }) => partition), places.map(({ offset }) => offset)],
    );
    return rows.map((row) => row.subject_index);
  }

  /** What destinations answered is remembered for a while beside the ledger. @returns how many answers were forgotten. */
  async forgetReceipts(index: Buffer): Promise<number> {
    const rows = await this.database.query(
      `UPDATE delivery.claim SET receipt = NULL
       WHERE receipt IS NOT NULL AND delivery_id IN (
         SELECT delivery_id FROM ledger.audit_record WHERE subject_index = $1 AND delivery_id IS NOT NULL)
       RETURNING 1`,
      [index],
    );
    return rows.length;
  }
}
