import { createHash } from 'node:crypto';
import type { Database } from '../database.js';
import type { PolicyScope } from './retention-policies.js';

export interface RetirementAct {
  readonly id: string;
  /** What was to be retired, for a person: `ledger-month:2026-01`, `retention:acme/delivery before 2026-01-01`. */
  readonly what: string;
  readonly actor: string;
  readonly reason: string;
}

/** What an act took: whoever changes the list of retired rows afterwards changes this. */
export interface RetiredSeal {
  readonly rows: number;
  /** Hex SHA-256 over partition, offset and hash of each row, in their order. */
  readonly digest: string;
}

/** What audit records call an act. */
export const retirementEntity = (act: string): string => `retirement:${act}`;

const rowsAtOnce = 20_000;
const sealedAtOnce = 50_000;

/** Rows that were taken out of the ledger, as far as they are remembered: where they were, and their hashes. */
export class RetiredRows {
  constructor(private readonly database: Pick<Database, 'query'>) {}

  /** Acts that nobody has told the ledger about: whoever began them was stopped. */
  async untold(): Promise<RetirementAct[]> {
    return this.database.query<RetirementAct & Record<string, unknown>>(
      'SELECT id::text, what, actor, reason FROM ledger.retirement WHERE told_at IS NULL ORDER BY begun_at, id',
    );
  }

  async begin({ id, what, actor, reason }: RetirementAct): Promise<void> {
    await this.database.query('INSERT INTO ledger.retirement (id, what, actor, reason) VALUES ($1, $2, $3, $4)', [
      id,
      what,
      actor,
      reason,
    ]);
  }

  /** Takes the rows out, some at a time. @returns how many. */
  async retire(act: string, { tenant, class: recordClass }: PolicyScope, before: Date): Promise<number> {
    let total = 0;
    for (;;) {
      const [row] = await this.database.query<{ gone: number }>(
        'SELECT ledger.retire_rows($1, $2, $3, $4, $5) AS gone',
        [act, tenant, recordClass, before, rowsAtOnce],
      );
      const gone = row?.gone ?? 0;
      total += gone;
      if (gone < rowsAtOnce) return total;
    }
  }

  async told(act: string): Promise<void> {
    await this.database.query('UPDATE ledger.retirement SET told_at = now() WHERE id = $1', [act]);
  }

  /** Acts that left rows. */
  async acts(): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT id::text FROM ledger.retirement WHERE EXISTS (SELECT FROM ledger.retired_row w WHERE w.retirement = id)
       UNION SELECT DISTINCT retirement::text FROM ledger.retired_row ORDER BY 1`,
    );
    return rows.map(({ id }) => id);
  }

  async seal(act: string): Promise<RetiredSeal> {
    const hash = createHash('sha256');
    let after = { partition: -1, offset: -1 };
    let total = 0;
    for (;;) {
      const rows = await this.database.query<{ audit_partition: number; audit_offset: string; leaf_hash: Buffer }>(
        `SELECT audit_partition, audit_offset::text, leaf_hash FROM ledger.retired_row
         WHERE retirement = $1 AND (audit_partition, audit_offset) > ($2::int, $3::bigint)
         ORDER BY retired_row.audit_partition, retired_row.audit_offset LIMIT ${sealedAtOnce}`,
        [act, after.partition, after.offset],
      );
      for (const row of rows) {
        hash.update(`${row.audit_partition}/${row.audit_offset}/`).update(row.leaf_hash);
        after = { partition: row.audit_partition, offset: Number(row.audit_offset) };
      }
      total += rows.length;
      if (rows.length < sealedAtOnce) return { rows: total, digest: hash.digest('hex') };
    }
  }

  /** What the ledger itself says of an act, in a row that a tree has; undefined: nothing. */
  async factOf(act: string): Promise<RetiredSeal | undefined> {
    const [row] = await this.database.query<{ rows: string | null; digest: string | null }>(
      `SELECT r.details ->> 'rows' AS rows, r.details ->> 'digest' AS digest FROM ledger.audit_record r
       JOIN ledger.tree t ON t.audit_partition = r.audit_partition AND r.audit_offset < t.first_offset + t.size
       WHERE r.entity = $1 AND r.action = 'retired' AND NOT r.is_repeat LIMIT 1`,
      [retirementEntity(act)],
    );
    return row && { rows: Number(row.rows), digest: row.digest ?? '' };
  }

  /** Hashes of the retired rows with offsets in [from, to), in any order. Meant for a few thousand offsets. */
  async leavesOf(partition: number, from: number, to: number): Promise<{ offset: number; hash: Buffer }[]> {
    const rows = await this.database.query<{ audit_offset: string; leaf_hash: Buffer }>(
      'SELECT audit_offset::text, leaf_hash FROM ledger.retired_row WHERE audit_partition = $1 AND audit_offset >= $2 AND audit_offset < $3',
      [partition, from, to],
    );
    return rows.map((row) => ({ offset: Number(row.audit_offset), hash: row.leaf_hash }));
  }

  /** Which offsets in [from, to) of a partition were retired: one bit for each, lowest bit first. */
  async bitsOf(partition: number, from: number, to: number): Promise<Uint8Array> {
    const bits = new Uint8Array(Math.ceil((to - from) / 8));
    for (let at = from; at < to; at += sealedAtOnce) {
      const rows = await this.database.query<{ audit_offset: string }>(
        'SELECT audit_offset::text FROM ledger.retired_row WHERE audit_partition = $1 AND audit_offset >= $2 AND audit_offset < $3',
        [partition, at, Math.min(to, at + sealedAtOnce)],
      );
      for (const row of rows) {
        const index = Number(row.audit_offset) - from;
        bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
      }
    }
    return bits;
  }
}
