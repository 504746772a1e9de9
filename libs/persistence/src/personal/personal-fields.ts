import type { AuditRecord, SkippedSubscription } from '@tributary/contracts';

/** What of an audit record may tell about a person, or was said by somebody else and may hold anything. */
export interface PersonalFields {
  readonly subject?: string;
  readonly reason?: string;
  readonly receipt?: string;
  /** Why a filter failed, by subscription: the message may quote the event. */
  readonly skipped?: Readonly<Record<string, string>>;
  readonly details?: Readonly<Record<string, string>>;
}

/** Members of `details` whose values our own code makes of numbers, ids and digests. Any other is taken for personal. */
const plainDetails: ReadonlySet<string> = new Set([
  'acceptedAtMs',
  'count',
  'days',
  'deadLettersDiscarded',
  'digest',
  'edited',
  'eventIds',
  'headersChanged',
  'keysErased',
  'offsets',
  'receiptsForgotten',
  'redriveId',
  'retired',
  'rows',
  'status',
  'valueDigest',
  'valueDigestBefore',
]);

const filterFailed = 'filter failed: ';

export interface SplitRecord {
  /** Undefined when nothing personal is in it. */
  readonly personal: PersonalFields | undefined;
  readonly skipped: readonly SkippedSubscription[];
  readonly details: Readonly<Record<string, string>>;
}

/** Takes what is personal out of an audit record. */
export function splitRecord(record: AuditRecord): SplitRecord {
  const details = splitDetails(record.details);
  const skipped = splitSkipped(record.skipped);
  const personal: { -readonly [Field in keyof PersonalFields]: PersonalFields[Field] } = {};
  if (record.subject !== null) personal.subject = record.subject;
  if (record.reason !== null) personal.reason = record.reason;
  if (record.receipt !== null) personal.receipt = record.receipt;
  if (skipped.personal) personal.skipped = skipped.personal;
  if (details.personal) personal.details = details.personal;
  return { personal: isEmpty(personal) ? undefined : personal, skipped: skipped.plain, details: details.plain };
}

function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}

type Texts = Readonly<Record<string, string>>;

function splitDetails(details: Texts): { plain: Texts; personal?: Texts } {
  if (isPlain(details)) return { plain: details };
  const entries = Object.entries(details);
  return {
    plain: Object.fromEntries(entries.filter(([name]) => plainDetails.has(name))),
    personal: Object.fromEntries(entries.filter(([name]) => !plainDetails.has(name))),
  };
}

function isPlain(details: Texts): boolean {
  for (const name in details) if (!plainDetails.has(name)) return false;
  return true;
}

function splitSkipped(skipped: readonly SkippedSubscription[]): {
  plain: readonly SkippedSubscription[];
  personal?: Texts;
} {
  if (skipped.length === 0) return { plain: skipped };
  const failed = skipped.filter(({ reason }) => reason.startsWith(filterFailed));
  if (failed.length === 0) return { plain: skipped };
  return {
    plain: skipped.map((one) => (failed.includes(one) ? { ...one, reason: 'filter failed' } : one)),
    personal: Object.fromEntries(failed.map(({ subscriptionId, reason }) => [subscriptionId, reason])),
  };
}

/** Whose data it is: the event's subject, else whoever the event is about, else nobody in particular of the tenant. */
export type DataSubject =
  | { readonly kind: 'subject'; readonly subject: string }
  | { readonly kind: 'event'; readonly eventSource: string; readonly eventId: string }
  | { readonly kind: 'tenant' };

export function dataSubjectOf(record: Pick<AuditRecord, 'subject' | 'eventId' | 'eventSource'>): DataSubject {
  if (record.subject !== null) return { kind: 'subject', subject: record.subject };
  if (record.eventId === null) return { kind: 'tenant' };
  return { kind: 'event', eventSource: record.eventSource ?? '', eventId: record.eventId };
}

/** Names of different kinds never meet, whatever they contain. */
export function nameOf(who: DataSubject): string {
  if (who.kind === 'subject') return `subject ${who.subject}`;
  return who.kind === 'event' ? `event ${who.eventSource} ${who.eventId}` : 'tenant';
}
