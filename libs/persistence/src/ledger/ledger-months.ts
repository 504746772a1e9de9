import type { Database } from '../database.js';
import type { LegalHold } from './legal-holds.js';

export interface LedgerMonth {
  /** `2026-01`. */
  readonly month: string;
  /** About so many: PostgreSQL's own estimate. */
  readonly rows: number;
  readonly bytes: number;
}

const monthGrammar = /^\d{4}-(0[1-9]|1[0-2])$/;

export const isMonth = (text: string): boolean => monthGrammar.test(text);

/** The ledger by months, each of which is a table of its own. */
export class LedgerMonths {
  constructor(private readonly database: Pick<Database, 'query' | 'transaction'>) {}

  /** Oldest first. */
  async list(): Promise<LedgerMonth[]> {
    const rows = await this.database.query<{ name: string; rows: string; bytes: string }>(
      `SELECT c.relname AS name, greatest(c.reltuples, 0)::bigint::text AS rows, pg_total_relation_size(c.oid)::text AS bytes
       FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
       WHERE i.inhparent = 'ledger.audit_record'::regclass ORDER BY c.relname`,
    );
    return rows.map(({ name, rows: count, bytes }) => ({
      month: name.replace('audit_record_', '').replace('_', '-'),
      rows: Number(count),
      bytes: Number(bytes),
    }));
  }

  /** True when the month has a row that this hold keeps. */
  async isHeld(month: string, { tenant, subjectIndex }: LegalHold): Promise<boolean> {
    const rows = await this.database.query(
      `SELECT 1 FROM ledger.${tableOf(month)} WHERE tenant = $1 AND ($2::bytea IS NULL OR subject_index = $2) LIMIT 1`,
      [tenant, subjectIndex],
    );
    return rows.length > 0;
  }

  /**
   * Takes a month out of the ledger for this act; the hashes of its rows stay. Its table stays too, in the schema `ledger_retired`,
   * until somebody drops it.
   */
  async detach(month: string, act: string): Promise<string> {
    const table = tableOf(month);
    await this.database.query('CREATE SCHEMA IF NOT EXISTS ledger_retired');
    // One transaction: at no moment has a row neither a place in the ledger nor one among the retired.
    await this.database.transaction(async (query) => {
      await query(`ALTER TABLE ledger.audit_record DETACH PARTITION ledger.${table}`);
      for (let last: LastRow | undefined = { audit_partition: -1, audit_offset: '-1' }; last; )
        last = await keepHashes(query, table, act, last);
      await query(`DROP TRIGGER IF EXISTS refuse_truncate ON ledger.${table}`);
      await query(`ALTER TABLE ledger.${table} SET SCHEMA ledger_retired`);
    });
    return `ledger_retired.${table}`;
  }
}

interface LastRow {
  readonly audit_partition: number;
  readonly audit_offset: string;
}

const hashesAtOnce = 200_000;

/** Some at a time: one statement over a large month would run into the limit for statements. */
async function keepHashes(
  query: Database['query'],
  table: string,
  act: string,
  after: LastRow,
): Promise<LastRow | undefined> {
  const [last] = await query<LastRow & Record<string, unknown>>(
    `WITH kept AS (
       INSERT INTO ledger.retired_row (audit_partition, audit_offset, retirement, leaf_hash)
       SELECT audit_partition, audit_offset, $1, leaf_hash FROM ledger.${table}
       WHERE (audit_partition, audit_offset) > ($2::int, $3::bigint)
       ORDER BY audit_partition, audit_offset LIMIT ${hashesAtOnce}
       RETURNING audit_partition, audit_offset)
     SELECT audit_partition, audit_offset::text FROM kept ORDER BY kept.audit_partition DESC, kept.audit_offset DESC LIMIT 1`,
    [act, after.audit_partition, after.audit_offset],
  );
  return last;
}

/** @throws Error for what is no month: the name goes into a statement. */
function tableOf(month: string): string {
  if (!isMonth(month)) throw new Error(`${month} is not a month; write 2026-01`);
  return `audit_record_${month.replace('-', '_')}`;
}
