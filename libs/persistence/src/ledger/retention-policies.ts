import type { Database } from '../database.js';

/** What kinds of records can be kept for different times: what came in and was routed, what was delivered, what people did. */
export const recordClasses = ['acceptance', 'delivery', 'operations'] as const;
export type RecordClass = (typeof recordClasses)[number];

/** Topics keep 30 days at most and a repeat is looked for 45 days back: a younger row may still be needed. */
export const leastRetentionDays = 45;

export interface RetentionPolicy {
  /** Empty: every tenant without a policy of its own for the class, and records that are of no tenant. */
  readonly tenant: string;
  readonly class: RecordClass;
  readonly days: number;
  readonly setBy: string;
  readonly reason: string;
  readonly setAt: Date;
}

export type PolicyScope = Pick<RetentionPolicy, 'tenant' | 'class'>;

export interface RetirableCount {
  readonly rows: number;
  /** Rows whose time is over, and that legal holds keep. */
  readonly held: number;
}

/** How long rows of the ledger are kept. What has no policy is kept until its month is retired. */
export class RetentionPolicies {
  constructor(private readonly database: Pick<Database, 'query'>) {}

  async list(): Promise<RetentionPolicy[]> {
    const rows = await this.database.query<{
      tenant: string;
      class: RecordClass;
      days: number;
      set_by: string;
      reason: string;
      set_at: Date;
    }>('SELECT * FROM ledger.retention ORDER BY tenant, class');
    return rows.map(({ set_by: setBy, set_at: setAt, ...row }) => ({ ...row, setBy, setAt }));
  }

  async set({ tenant, class: recordClass, days, setBy, reason }: Omit<RetentionPolicy, 'setAt'>): Promise<void> {
    await this.database.query(
      `INSERT INTO ledger.retention (tenant, class, days, set_by, reason) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (tenant, class) DO UPDATE
       SET days = EXCLUDED.days, set_by = EXCLUDED.set_by, reason = EXCLUDED.reason, set_at = now()`,
      [tenant, recordClass, days, setBy, reason],
    );
  }

  /** @returns whether there was one. */
  async remove({ tenant, class: recordClass }: PolicyScope): Promise<boolean> {
    const rows = await this.database.query(
      'DELETE FROM ledger.retention WHERE tenant = $1 AND class = $2 RETURNING 1',
      [tenant, recordClass],
    );
    return rows.length > 0;
  }

  /** What a retirement would take now. */
  async count({ tenant, class: recordClass }: PolicyScope, before: Date): Promise<RetirableCount> {
    const [row] = await this.database.query<{ rows: string; held: string }>(
      `SELECT count(*) FILTER (WHERE NOT is_held)::text AS rows, count(*) FILTER (WHERE is_held)::text AS held FROM (
         SELECT EXISTS (SELECT FROM ledger.legal_hold h WHERE h.released_at IS NULL AND h.tenant = r.tenant
           AND (h.subject_index IS NULL OR h.subject_index = r.subject_index)) AS is_held
         FROM ledger.audit_record r JOIN ledger.tree t ON t.audit_partition = r.audit_partition
           AND r.audit_offset >= t.first_offset AND r.audit_offset < t.first_offset + t.size
         WHERE r.recorded_at < $3 AND ledger.is_retirable(r.tenant, r.stage, r.action, $1, $2)) AS over`,
      [tenant, recordClass, before],
    );
    return { rows: Number(row?.rows ?? 0), held: Number(row?.held ?? 0) };
  }
}
