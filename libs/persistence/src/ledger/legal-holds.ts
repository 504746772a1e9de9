import type { Database } from '../database.js';

export interface LegalHold {
  readonly id: string;
  readonly tenant: string;
  /** Null: the whole tenant. */
  readonly subjectIndex: Buffer | null;
  readonly reason: string;
  readonly placedBy: string;
  readonly placedAt: Date;
}

export type NewLegalHold = Pick<LegalHold, 'tenant' | 'subjectIndex' | 'reason' | 'placedBy'>;

interface HoldRow {
  readonly id: string;
  readonly tenant: string;
  readonly subject_index: Buffer | null;
  readonly reason: string;
  readonly placed_by: string;
  readonly placed_at: Date;
}

/** Whose records must be kept, whatever else says that they go. */
export class LegalHolds {
  constructor(private readonly database: Pick<Database, 'query'>) {}

  /** @returns its id. */
  async place({ tenant, subjectIndex, reason, placedBy }: NewLegalHold): Promise<string> {
    const [row] = await this.database.query<{ id: string }>(
      'INSERT INTO ledger.legal_hold (tenant, subject_index, reason, placed_by) VALUES ($1, $2, $3, $4) RETURNING id::text',
      [tenant, subjectIndex, reason, placedBy],
    );
    return row?.id ?? '';
  }

  /** @returns the hold, or undefined when there is none of that id that holds. */
  async release(id: string, by: string): Promise<LegalHold | undefined> {
    const rows = await this.database.query<HoldRow & Record<string, unknown>>(
      'UPDATE ledger.legal_hold SET released_by = $2, released_at = now() WHERE id::text = $1 AND released_at IS NULL RETURNING *',
      [id, by],
    );
    return rows[0] && holdOf(rows[0]);
  }

  /** Those that hold, oldest first. */
  async list(): Promise<LegalHold[]> {
    const rows = await this.database.query<HoldRow & Record<string, unknown>>(
      'SELECT * FROM ledger.legal_hold WHERE released_at IS NULL ORDER BY placed_at, id',
    );
    return rows.map(holdOf);
  }

  /** The first hold on this subject or its whole tenant. */
  async on(tenant: string, subjectIndex: Buffer): Promise<LegalHold | undefined> {
    const all = await this.list();
    return all.find((hold) => hold.tenant === tenant && (hold.subjectIndex?.equals(subjectIndex) ?? true));
  }
}

const holdOf = (row: HoldRow): LegalHold => ({
  id: row.id,
  tenant: row.tenant,
  subjectIndex: row.subject_index,
  reason: row.reason,
  placedBy: row.placed_by,
  placedAt: row.placed_at,
});
