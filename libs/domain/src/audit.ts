import type { AuditRecord, PlannedDelivery, SkippedSubscription } from '@tributary/contracts';
import { digestOfParts } from './ids.js';
import type { Failure } from './outcome.js';

/** What became of a raw record. Every raw offset ends in exactly one of these. */
export const acceptedOutcomes = ['normalized', 'duplicate', 'filtered', 'dead'] as const;
export type AcceptedOutcome = (typeof acceptedOutcomes)[number];

/** How a delivery ended. `discarded` is an operator's decision about a dead one. */
export const settledOutcomes = ['delivered', 'dead', 'discarded'] as const;
export type SettledOutcome = (typeof settledOutcomes)[number];

export interface Coordinates {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint | number;
}

interface Who {
  /** `<service>/<instance>`, or a person. */
  readonly actor: string;
  readonly occurredAtMs: number;
  readonly traceId?: string | undefined;
}

interface What {
  readonly tenant?: string | undefined;
  readonly eventSource?: string | undefined;
  readonly eventId?: string | undefined;
  readonly eventType?: string | undefined;
  readonly subject?: string | undefined;
}

const empty: Omit<AuditRecord, 'auditId' | 'stage' | 'action' | 'outcome' | 'actor' | 'occurredAt'> = {
  onBehalfOf: null,
  tenant: null,
  source: null,
  connectionId: null,
  eventSource: null,
  eventId: null,
  eventType: null,
  subject: null,
  entity: null,
  deliveryId: null,
  subscriptionId: null,
  destination: null,
  operation: null,
  attempt: 0,
  originTopic: null,
  originPartition: 0,
  originOffset: -1,
  errorClass: null,
  errorCode: null,
  reason: null,
  receipt: null,
  durationMs: 0,
  payloadDigest: null,
  traceId: null,
  events: 0,
  deliveries: [],
  skipped: [],
  details: {},
};

const whoFields = (who: Who) => ({
  actor: who.actor,
  occurredAt: who.occurredAtMs,
  traceId: who.traceId ?? null,
});

const whatFields = (what: What) => ({
  tenant: what.tenant ?? null,
  eventSource: what.eventSource ?? null,
  eventId: what.eventId ?? null,
  eventType: what.eventType ?? null,
  subject: what.subject ?? null,
});

const originFields = (origin: Coordinates) => ({
  originTopic: origin.topic,
  originPartition: origin.partition,
  originOffset: Number(origin.offset),
});

const failureFields = (failure: Failure) => ({
  errorClass: failure.errorClass,
  errorCode: failure.code ?? null,
  reason: failure.reason,
});

const coordinateParts = ({ topic, partition, offset }: Coordinates) => [topic, String(partition), String(offset)];

const acceptedId = (origin: Coordinates, redrive = ''): string =>
  digestOfParts(['normalizer', 'accepted', ...coordinateParts(origin), redrive]);

const plannedId = (origin: Coordinates, redrive = ''): string =>
  digestOfParts(['router', 'planned', ...coordinateParts(origin), redrive]);

const settledId = (origin: Coordinates, outcome: SettledOutcome, redrive = ''): string =>
  digestOfParts(['connector', 'settled', ...coordinateParts(origin), outcome, redrive]);

/** Ids of the audit records in which a record's way through a stage can end, for that redrive of it. */
export function settlementIds(
  stage: 'normalizer' | 'router' | 'connector',
  origin: Coordinates,
  redrive: string,
): string[] {
  if (stage === 'normalizer') return [acceptedId(origin, redrive)];
  if (stage === 'router') return [plannedId(origin, redrive)];
  return settledOutcomes.map((outcome) => settledId(origin, outcome, redrive));
}

export interface AcceptedFacts extends Who, What {
  readonly origin: Coordinates;
  readonly outcome: AcceptedOutcome;
  readonly source: string;
  readonly connectionId: string;
  /** Ids of the canonical events made of the raw record. */
  readonly eventIds: readonly string[];
  readonly reason?: string | undefined;
  readonly errorClass?: string | undefined;
  readonly payloadDigest: string;
  /** Raises the identity for a record that an operator sent through again. */
  readonly redrive?: string | undefined;
}

/** The normalizer's record of one raw offset: accepted, and what became of it. */
export function acceptedRecord(facts: AcceptedFacts): AuditRecord {
  return {
    ...empty,
    ...whoFields(facts),
    ...whatFields(facts),
    ...originFields(facts.origin),
    auditId: acceptedId(facts.origin, facts.redrive),
    stage: 'normalizer',
    action: 'accepted',
    outcome: facts.outcome,
    source: facts.source,
    connectionId: facts.connectionId,
    events: facts.eventIds.length,
    // One event is named by eventId already.
    details: facts.eventIds.length > 1 ? { eventIds: JSON.stringify(facts.eventIds) } : {},
    reason: facts.reason ?? null,
    errorClass: facts.errorClass ?? null,
    payloadDigest: facts.payloadDigest,
  };
}

export interface PlannedFacts extends Who, What {
  readonly origin: Coordinates;
  readonly deliveries: readonly PlannedDelivery[];
  readonly skipped: readonly SkippedSubscription[];
  readonly payloadDigest: string;
  readonly failure?: Failure | undefined;
  readonly redrive?: string | undefined;
}

/** The router's record of one canonical offset: which deliveries it planned, whom it passed over and why. */
export function plannedRecord(facts: PlannedFacts): AuditRecord {
  return {
    ...empty,
    ...whoFields(facts),
    ...whatFields(facts),
    ...originFields(facts.origin),
    ...(facts.failure && failureFields(facts.failure)),
    auditId: plannedId(facts.origin, facts.redrive),
    stage: 'router',
    action: 'planned',
    outcome: facts.failure ? 'dead' : facts.deliveries.length > 0 ? 'planned' : 'unsubscribed',
    deliveries: [...facts.deliveries],
    skipped: [...facts.skipped],
    payloadDigest: facts.payloadDigest,
  };
}

export interface DeliveryFacts extends Who, What {
  readonly origin: Coordinates;
  readonly deliveryId: string;
  readonly subscriptionId: string;
  readonly connectionId: string;
  readonly destination: string;
  readonly operation: string;
  readonly attempt: number;
  readonly durationMs: number;
  readonly redrive?: string | undefined;
}

const deliveryFields = (facts: DeliveryFacts) => ({
  ...empty,
  ...whoFields(facts),
  ...whatFields(facts),
  ...originFields(facts.origin),
  stage: 'connector',
  deliveryId: facts.deliveryId,
  subscriptionId: facts.subscriptionId,
  connectionId: facts.connectionId,
  destination: facts.destination,
  operation: facts.operation,
  attempt: facts.attempt,
  durationMs: facts.durationMs,
});

/** The connector's record of an attempt that did not deliver. */
export function attemptedRecord(
  facts: DeliveryFacts & { readonly outcome: string; readonly failure: Failure },
): AuditRecord {
  const identity = [...coordinateParts(facts.origin), facts.deliveryId, String(facts.attempt), facts.redrive ?? ''];
  // Attempts that are not charged share a number, so the time is part of what makes them one fact.
  const at = String(facts.occurredAtMs);
  return {
    ...deliveryFields(facts),
    ...failureFields(facts.failure),
    auditId: digestOfParts(['connector', 'attempted', ...identity, at]),
    action: 'attempted',
    outcome: facts.outcome,
  };
}

/** The connector's record of how a delivery ended. */
export function settledRecord(
  facts: DeliveryFacts & {
    readonly outcome: SettledOutcome;
    readonly failure?: Failure | undefined;
    readonly receipt?: string | undefined;
    readonly payloadDigest: string;
    /** Epoch milliseconds at which the event came in. */
    readonly acceptedAtMs: number;
  },
): AuditRecord {
  return {
    ...deliveryFields(facts),
    ...(facts.failure && failureFields(facts.failure)),
    auditId: settledId(facts.origin, facts.outcome, facts.redrive),
    action: 'settled',
    outcome: facts.outcome,
    receipt: facts.receipt ?? null,
    payloadDigest: facts.payloadDigest,
    details: { acceptedAtMs: String(facts.acceptedAtMs) },
  };
}

export interface RejectedFacts extends Who {
  readonly tenant?: string | undefined;
  readonly source?: string | undefined;
  readonly connectionId: string;
  readonly status: number;
  readonly code: string;
  readonly reason: string;
  readonly payloadDigest: string;
  /** Rejections of the same kind that this one stands for, itself included. */
  readonly count: number;
}

/** Ingress's record of requests that it refused. Counted always, written for a bounded sample. */
export function rejectedRecord(facts: RejectedFacts): AuditRecord {
  return {
    ...empty,
    ...whoFields(facts),
    auditId: digestOfParts([
      'ingress',
      'rejected',
      facts.actor,
      facts.connectionId,
      facts.code,
      String(facts.occurredAtMs),
      facts.payloadDigest,
    ]),
    stage: 'ingress',
    action: 'rejected',
    outcome: 'rejected',
    tenant: facts.tenant ?? null,
    source: facts.source ?? null,
    connectionId: facts.connectionId,
    errorCode: facts.code,
    reason: facts.reason,
    payloadDigest: facts.payloadDigest,
    details: { status: String(facts.status), count: String(facts.count) },
  };
}

export interface OperatedFacts extends Who {
  readonly action:
    | 'applied'
    | 'removed'
    | 'redriven'
    | 'discarded'
    | 'suspended'
    | 'resumed'
    | 'offsets-accepted'
    | 'exported'
    | 'erased'
    | 'held'
    | 'released'
    | 'retired'
    | 'retention-set'
    | 'gap-accepted'
    | 'read';
  /** `kind:id` of what was acted on. */
  readonly entity: string;
  readonly reason: string;
  readonly tenant?: string | undefined;
  readonly connectionId?: string | undefined;
  readonly destination?: string | undefined;
  readonly deliveryId?: string | undefined;
  readonly eventSource?: string | undefined;
  readonly eventId?: string | undefined;
  readonly eventType?: string | undefined;
  readonly subject?: string | undefined;
  readonly origin?: Coordinates | undefined;
  /** What makes two operations of the same kind on the same thing different: a version, a redrive id. */
  readonly identity: string;
  readonly details?: Readonly<Record<string, string>>;
}

/** A person's or a service's act on the platform itself. */
export function operatedRecord(facts: OperatedFacts): AuditRecord {
  return {
    ...empty,
    ...whoFields(facts),
    ...whatFields(facts),
    ...(facts.origin && originFields(facts.origin)),
    auditId: digestOfParts(['operator', facts.action, facts.entity, facts.identity]),
    stage: 'operator',
    action: facts.action,
    outcome: 'done',
    entity: facts.entity,
    connectionId: facts.connectionId ?? null,
    destination: facts.destination ?? null,
    deliveryId: facts.deliveryId ?? null,
    reason: facts.reason,
    details: { ...facts.details },
  };
}

export interface UnreadableFacts {
  /** Where the record is that could not be kept. */
  readonly origin: Coordinates;
  /** When the broker got it. */
  readonly timestampMs: number;
  readonly failure: Failure;
  readonly payloadDigest: string;
}

/**
 * Stands in the ledger for an audit record that cannot be kept there, so that every offset has its row and a missing row
 * is always a loss. The reason may quote the record, so it is with the dead letter only.
 */
export function unreadableRecord({ origin, timestampMs, failure, payloadDigest }: UnreadableFacts): AuditRecord {
  return {
    ...empty,
    ...originFields(origin),
    auditId: digestOfParts(['ledger', 'unreadable', origin.topic, String(origin.partition), String(origin.offset)]),
    stage: 'audit-logger',
    action: 'unreadable',
    outcome: 'dead',
    actor: 'audit-logger',
    occurredAt: timestampMs,
    errorClass: failure.errorClass,
    errorCode: failure.code ?? null,
    payloadDigest,
  };
}

export interface GapFacts extends Who {
  /** The offset of the audit topic whose record is lost. */
  readonly lost: Coordinates;
}

/** Stands in the ledger for an audit record that nobody has any more, once a person has said so: the tree goes on over it. */
export function gapRecord(facts: GapFacts): AuditRecord {
  const { topic, partition, offset } = facts.lost;
  return {
    ...empty,
    ...whoFields(facts),
    ...originFields(facts.lost),
    auditId: digestOfParts(['ledger', 'gap-accepted', topic, String(partition), String(offset)]),
    stage: 'operator',
    action: 'gap-accepted',
    outcome: 'lost',
  };
}

/** Key of an audit record: what concerns one event stays in order. */
export function auditKey(record: AuditRecord): string {
  return `${record.tenant ?? ''}:${record.eventId ?? record.entity ?? record.auditId}`;
}
