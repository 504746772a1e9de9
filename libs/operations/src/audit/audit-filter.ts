/** What is absent does not matter; what is given must all hold. */
export interface AuditFilter {
  /** Only for who sees all tenants. */
  readonly tenant?: string;
  readonly event?: string;
  readonly delivery?: string;
  readonly entity?: string;
  readonly actor?: string;
  /** Found by its blind index, so a tenant must be known. */
  readonly subject?: string;
  readonly connection?: string;
  readonly destination?: string;
  readonly action?: string;
  readonly outcome?: string;
  /** Recorded at or after, epoch milliseconds. */
  readonly fromMs?: number;
  /** Recorded before, epoch milliseconds. */
  readonly toMs?: number;
}

/** A question that cannot be answered as it was asked; the text says what to change. */
export class BadAuditQuestion extends Error {
  override readonly name = 'BadAuditQuestion';
}

/** Filters by a text, and the column of `ledger.fact` that each compares. */
export const textFilters = {
  tenant: 'tenant',
  event: 'event_id',
  delivery: 'delivery_id',
  entity: 'entity',
  actor: 'actor',
  connection: 'connection_id',
  destination: 'destination',
  action: 'action',
  outcome: 'outcome',
} as const satisfies Partial<Record<keyof AuditFilter, string>>;

/** What of a filter is given as text, by the name that a person writes. */
export const filterNames = [...Object.keys(textFilters), 'subject', 'from', 'to'] as const;

const longestText = 1_000;
const timeGrammar = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;
const lastMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** @throws BadAuditQuestion that names the filter. */
export function parseAuditFilter(given: Readonly<Record<string, string | undefined>>): AuditFilter {
  const filter: Record<string, string | number> = {};
  for (const [name, text] of Object.entries(given)) {
    if (text === undefined) continue;
    if (!(filterNames as readonly string[]).includes(name))
      throw new BadAuditQuestion(`${name.slice(0, 50)} is no filter; there are ${filterNames.join(', ')}`);
    if (name === 'from' || name === 'to') filter[`${name}Ms`] = timeOf(name, text);
    else filter[name] = checkedText(name, text);
  }
  const { fromMs, toMs } = filter as AuditFilter;
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs)
    throw new BadAuditQuestion('from must be before to');
  return filter;
}

/** @throws BadAuditQuestion for a text that no record can have. */
export function checkedText(name: string, text: string): string {
  if (text === '') throw new BadAuditQuestion(`${name} is empty; leave it out`);
  if (text.length > longestText) throw new BadAuditQuestion(`${name} is longer than ${longestText} characters`);
  // PostgreSQL's texts hold no NUL, so nothing could be found.
  if (text.includes('\0')) throw new BadAuditQuestion(`${name} has a character that no record has`);
  return text;
}

/** Epoch milliseconds that a record can have: Kafka knows no earlier ones, and later ones have no year of four digits. */
export const isRecordTime = (ms: unknown): ms is number =>
  Number.isSafeInteger(ms) && Number(ms) >= 0 && Number(ms) <= lastMs;

/**
 * A time with its zone: without one it would mean another moment on another machine. A day that its month does not have is none, although
 * `Date` takes it for one of the next month. @throws BadAuditQuestion
 */
export function timeOf(name: string, text: string): number {
  const [, day] = timeGrammar.exec(text) ?? [];
  const ms = day !== undefined && isDay(day) ? Date.parse(text) : Number.NaN;
  if (!isRecordTime(ms)) {
    const hint = /T[\d:.]+ \d\d:\d\d$/.test(text) ? '; in an address, + is written %2B' : '';
    throw new BadAuditQuestion(
      `${name} is no time like 2026-01-31T12:00:00Z, from 1970 to 9999 and with a zone${hint}`,
    );
  }
  return ms;
}

function isDay(day: string): boolean {
  const midnight = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
}
