import type { Database, LedgerScope, LedgerView, PersonalReader } from '@tributary/persistence';
import { cursorOf, positionIn } from './audit-cursor.js';
import { type AuditFilter, BadAuditQuestion, textFilters } from './audit-filter.js';
import { type AuditFact, type FactRow, factOf } from './audit-record-view.js';
import { storyQuery } from './story-query.js';

export interface AuditReaderParts {
  readonly view: Pick<LedgerView, 'read'>;
  /** Absent: what is personal stays locked, and nothing is found by subject. */
  readonly keys?: {
    readonly personal: Pick<PersonalReader, 'open'>;
    readonly indexOfSubject: (tenant: string, subject: string) => Buffer;
  };
}

export interface AuditPage {
  readonly records: readonly AuditFact[];
  /** Of the next page; null: this is the last. */
  readonly next: string | null;
}

/** One month of one destination. */
export interface DestinationMonth {
  readonly tenant: string | null;
  readonly destination: string;
  readonly delivered: number;
  readonly dead: number;
  readonly discarded: number;
  readonly failedAttempts: number;
  readonly meanDurationMs: number | null;
  readonly meanLatencyMs: number | null;
}

export const mostPerPage = 1_000;
const storyAtMost = 1_000;
/** Without a filter that an index answers, so many days at most. */
const widestDays = 31;
const dayMs = 86_400_000;
const selective = ['tenant', 'event', 'delivery', 'entity', 'actor', 'subject'] as const;

/** Questions about the ledger, each within what its asker may see. */
export class AuditReader {
  constructor(private readonly parts: AuditReaderParts) {}

  /** From new to old. @throws BadAuditQuestion */
  async find(
    scope: LedgerScope,
    filter: AuditFilter,
    { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<AuditPage> {
    if (!Number.isInteger(limit) || limit < 1 || limit > mostPerPage)
      throw new BadAuditQuestion(`limit must be a whole number from 1 to ${mostPerPage}`);
    checkWidth(scope, filter);
    const { conditions, values } = this.conditionsOf(scope, filter);
    if (cursor !== undefined) {
      const { recordedAtMs, partition, offset } = positionIn(cursor, filter);
      const at = values.push(new Date(recordedAtMs).toISOString(), partition, offset) - 2;
      // The first of them alone lets whole months be left out, the second is exact.
      conditions.push(`recorded_at <= $${at}::timestamptz`);
      conditions.push(
        `(recorded_at, audit_partition, audit_offset) < ($${at}::timestamptz, $${at + 1}::int, $${at + 2}::bigint)`,
      );
    }
    // One more than asked for tells whether there is another page.
    values.push(limit + 1);
    const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
    const rows = await this.parts.view.read(scope, (query) =>
      query<FactRow>(
        `SELECT * FROM ledger.fact ${where}
         ORDER BY recorded_at DESC, audit_partition DESC, audit_offset DESC LIMIT $${values.length}`,
        values,
      ),
    );
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      records: await this.open(page),
      next: rows.length > limit && last ? cursorOf(placeOf(last), filter) : null,
    };
  }

  /** From new to old, over as many pages as it takes; one page in memory. @throws BadAuditQuestion */
  async *findAll(scope: LedgerScope, filter: AuditFilter, atMost: number): AsyncGenerator<AuditFact, void> {
    let cursor: string | undefined;
    for (let left = atMost; left > 0; ) {
      const page = await this.find(scope, filter, { limit: Math.min(left, mostPerPage), cursor });
      yield* page.records;
      left -= page.records.length;
      if (page.next === null) return;
      cursor = page.next;
    }
  }

  /** Everything known about an event, by its id or the id of one of its deliveries, in the order of the story. */
  async story(scope: LedgerScope, id: string): Promise<AuditFact[]> {
    const rows = await this.parts.view.read(scope, (query) => query<FactRow>(storyQuery, [id, storyAtMost]));
    return this.open(rows);
  }

  /** @param month `2026-01`. @throws BadAuditQuestion */
  async summary(scope: LedgerScope, month: string): Promise<DestinationMonth[]> {
    if (!/^(19|20)\d\d-(0[1-9]|1[0-2])$/.test(month)) throw new BadAuditQuestion('month is no month like 2026-01');
    const rows = await this.parts.view.read(scope, (query: Database['query']) =>
      query<Record<string, string | null>>(
        'SELECT * FROM ledger.monthly_summary WHERE month = $1::date ORDER BY destination, tenant',
        [`${month}-01`],
      ),
    );
    return rows.map((row) => ({
      tenant: row.tenant ?? null,
      destination: row.destination ?? '',
      delivered: Number(row.delivered),
      dead: Number(row.dead),
      discarded: Number(row.discarded),
      failedAttempts: Number(row.failed_attempts),
      meanDurationMs: numberOrNull(row.mean_duration_ms),
      meanLatencyMs: numberOrNull(row.mean_latency_ms),
    }));
  }

  private conditionsOf(scope: LedgerScope, filter: AuditFilter): { conditions: string[]; values: unknown[] } {
    const conditions: string[] = [];
    const values: unknown[] = [];
    const add = (condition: (at: string) => string, value: unknown) => {
      conditions.push(condition(`$${values.push(value)}`));
    };
    for (const [name, column] of Object.entries(textFilters)) {
      const value = filter[name as keyof typeof textFilters];
      if (value !== undefined) add((at) => `${column} = ${at}`, value);
    }
    if (filter.subject !== undefined)
      add((at) => `subject_index = ${at}::bytea`, this.indexOf(scope, filter, filter.subject));
    if (filter.fromMs !== undefined)
      add((at) => `recorded_at >= ${at}::timestamptz`, new Date(filter.fromMs).toISOString());
    if (filter.toMs !== undefined) add((at) => `recorded_at < ${at}::timestamptz`, new Date(filter.toMs).toISOString());
    return { conditions, values };
  }

  private indexOf(scope: LedgerScope, filter: AuditFilter, subject: string): Buffer {
    const tenant = scope === 'all-tenants' ? filter.tenant : scope.tenant;
    if (tenant === undefined) throw new BadAuditQuestion('subject needs tenant: each tenant has its own index');
    if (!this.parts.keys)
      throw new BadAuditQuestion('subject cannot be searched here: there are no keys of the ledger');
    return this.parts.keys.indexOfSubject(tenant, subject);
  }

  private async open(rows: readonly FactRow[]): Promise<AuditFact[]> {
    const readings = await this.parts.keys?.personal.open(rows);
    return rows.map((row, i) => factOf(row, readings?.[i]));
  }
}

function checkWidth(scope: LedgerScope, filter: AuditFilter): void {
  if (scope !== 'all-tenants' && filter.tenant !== undefined)
    throw new BadAuditQuestion('tenant is that of the key; leave it out');
  const isSelective = scope !== 'all-tenants' || selective.some((name) => filter[name] !== undefined);
  if (isSelective) return;
  const { fromMs, toMs } = filter;
  const days = fromMs !== undefined && toMs !== undefined ? (toMs - fromMs) / dayMs : Number.POSITIVE_INFINITY;
  if (days <= widestDays) return;
  const names = selective.join(', ');
  throw new BadAuditQuestion(
    `this would read the whole ledger: give one of ${names}, or from and to within ${widestDays} days`,
  );
}

const placeOf = (row: FactRow) => ({
  recordedAtMs: (row.recorded_at as Date).getTime(),
  partition: Number(row.audit_partition),
  offset: String(row.audit_offset),
});

const numberOrNull = (text: string | null | undefined): number | null =>
  text === null || text === undefined ? null : Number(text);
