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
  const personal = {
    ...(record.subject !== null && { subject: record.subject }),
    ...(record.reason !== null && { reason: record.reason }),
    ...(record.receipt !== null && { receipt: record.receipt }),
    ...(skipped.personal && { skipped: skipped.personal }),
    ...(details.personal && { details: details.personal }),
  };
  const isEmpty = Object.keys(personal).length === 0;
  return { personal: isEmpty ? undefined : personal, skipped: skipped.plain, details: details.plain };
}

type Texts = Readonly<Record<string, string>>;

function splitDetails(details: Texts): { plain: Texts; personal?: Texts } {
  const entries = Object.entries(details);
  if (entries.every(([name]) => plainDetails.has(name))) return { plain: details };
  return {
    plain: Object.fromEntries(entries.filter(([name]) => plainDetails.has(name))),
    personal: Object.fromEntries(entries.filter(([name]) => !plainDetails.has(name))),
  };
}

function splitSkipped(skipped: readonly SkippedSubscription[]): {
  plain: readonly SkippedSubscription[];
  personal?: Texts;
} {
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
