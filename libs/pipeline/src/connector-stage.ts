import type { Attempted, DestinationDefinition, HttpClient } from '@tributary/connector-kit';
import { retryHeaders, type Subscription, type Suspension } from '@tributary/contracts';
import type { ConnectionLookup, UsableConnection } from '@tributary/control';
import {
  attemptedRecord,
  type CanonicalEvent,
  type DeliveryFacts,
  type DeliveryOutcome,
  defaultRetrySchedule,
  type Failure,
  type Settlement,
  settle,
  settledRecord,
  sha256Hex,
} from '@tributary/domain';
import type { Attempt, IncomingRecord } from '@tributary/kafka';
import type { DeliveryClaimResult } from '@tributary/persistence';
import { activeTraceId, type Logger } from '@tributary/telemetry';
import { type AuditTrail, untilDurable } from './audit-trail.js';
import type { ConnectionGates } from './connection-gates.js';
import { type Called, type ClaimsPort, DeliveryCall, type Prepared } from './delivery-call.js';
import { attributesOf, type DeliveryAttributes, deliveryAttributesOf, originOf, redriveOf } from './event-headers.js';
import type { RecordCodec, Surroundings } from './ports.js';
import { failureUnlessRetryable } from './record-failure.js';

export interface ConnectorPorts {
  readonly destination: DestinationDefinition;
  readonly http: HttpClient;
  readonly codec: Pick<RecordCodec, 'decode'>;
  readonly audit: AuditTrail;
  readonly find: (connectionId: string) => ConnectionLookup<DestinationDefinition>;
  /** As `find`, with the secrets read now. */
  readonly findAnew: (connectionId: string) => ConnectionLookup<DestinationDefinition>;
  /** Told what came of each call. */
  readonly gates?: Pick<ConnectionGates, 'note'>;
  /** Absent: the destination drops repeats. */
  readonly claims?: ClaimsPort;
  readonly suspensionOf: (connectionId: string) => Suspension | undefined;
  readonly subscriptionOf: (id: string) => Subscription | undefined;
  /** Makes a suspension known to everybody; durable when it returns. */
  readonly suspend: (connectionId: string, tenant: string, reason: string, untilMs?: number) => Promise<void>;
  readonly surroundings: Surroundings;
  readonly actor: string;
  readonly logger: Logger;
  readonly onAttempt: (outcome: DeliveryOutcome['kind'], durationMs: number) => void;
  /** A delivery came to its end, so long after its event was accepted. */
  readonly onEnd?: (end: 'delivered' | 'dead', sinceAcceptedMs: number) => void;
}

type Usable = UsableConnection<DestinationDefinition>;

/** While a connection cannot be used, how long its records wait before they look again. */
const lookAgainMs = 5_000;

/** Deliveries in, calls at the destination out: one attempt at a time per lane, settled by one rule. */
export class ConnectorStage {
  private readonly call: DeliveryCall;

  constructor(private readonly ports: ConnectorPorts) {
    const { destination, http, surroundings, findAnew, claims } = ports;
    this.call = new DeliveryCall({ destination, http, findAnew, claims, nowMs: () => surroundings.nowMs() });
  }

  async handle(record: IncomingRecord, attempt: Attempt): Promise<Settlement> {
    const prepared = await this.prepare(record);
    if ('to' in prepared) return prepared;
    const startedAtMs = this.ports.surroundings.nowMs();
    const called = await this.call.make(prepared, attempt);
    const { attempted } = called;
    const endedAtMs = this.ports.surroundings.nowMs();
    if (called.wasSent && attempted.stage === 'send') this.ports.gates?.note(record, attempted, endedAtMs);
    const durationMs = endedAtMs - startedAtMs;
    const settlement = this.settle(prepared, called, attempt);
    this.report(prepared, attempt, called, settlement, durationMs);
    await this.remember(record, prepared, attempt, { called, settlement, durationMs });
    if (attempted.outcome.kind === 'delivered') this.noteEnd('delivered', record);
    return settlement;
  }

  /** Called once a delivery is in the dead-letter topic and before its offset is committed. */
  async recordDeath(record: IncomingRecord, failure: Failure): Promise<void> {
    const delivery = deliveryAttributesOf(record.headers);
    const reading = attributesOf(record.headers);
    const facts = this.facts(record, delivery, reading.ok ? reading.attributes : undefined, attemptsMade(record), 0);
    await this.ports.audit.write(
      settledRecord({
        ...facts,
        outcome: 'dead',
        failure,
        payloadDigest: sha256Hex(record.value ?? ''),
        acceptedAtMs: record.timestampMs,
      }),
    );
    this.noteEnd('dead', record);
  }

  private noteEnd(end: 'delivered' | 'dead', { timestampMs }: IncomingRecord): void {
    this.ports.onEnd?.(end, Math.max(0, this.ports.surroundings.nowMs() - timestampMs));
  }

  /** A settlement when there is nothing to attempt now, or ever. */
  private async prepare(record: IncomingRecord): Promise<Prepared | Settlement> {
    const delivery = deliveryAttributesOf(record.headers);
    const reading = attributesOf(record.headers);
    if (!delivery)
      return dead('invalid', 'headers-missing', 'the record is no delivery: an x-delivery header is missing');
    if (!reading.ok) return dead('invalid', 'attributes-missing', reading.reason);
    const connection = this.connectionFor(delivery.connectionId);
    if ('to' in connection) return connection;
    const subscription = this.ports.subscriptionOf(delivery.subscriptionId);
    if (!subscription) {
      return dead('connection-removed', 'subscription-removed', `subscription ${delivery.subscriptionId} was removed`);
    }
    const data = await this.dataOf(record);
    if ('to' in data) return data;
    const mapping =
      subscription.mapping === null ? undefined : (JSON.parse(subscription.mapping) as Record<string, string>);
    const event = { ...reading.attributes, data: data.value };
    return { delivery, event, connection, mapping, round: redriveOf(record) ?? '' };
  }

  private connectionFor(id: string): Usable | Settlement {
    const suspension = this.ports.suspensionOf(id);
    if (suspension) return { to: 'suspend', failure: unauthorized('suspended', suspension.reason) };
    const found = this.ports.find(id);
    switch (found.kind) {
      case 'usable':
        return found.connection;
      case 'unknown':
        return dead('connection-removed', 'connection-removed', `connection ${id} was removed`);
      default:
        // A person must mend it. Nothing is charged, and it is looked at again soon, because a secret may just be late.
        return { to: 'gate', closedForMs: lookAgainMs, failure: unauthorized('connection-unusable', found.reason) };
    }
  }

  private async dataOf(record: IncomingRecord): Promise<{ readonly value: CanonicalEvent['data'] } | Settlement> {
    if (!record.value) return dead('invalid', 'value-missing', 'the record has no value');
    try {
      const { value } = await this.ports.codec.decode<Record<string, unknown>>(record.value);
      return { value };
    } catch (error) {
      return { to: 'deadLetter', failure: failureUnlessRetryable(error, 'prepare') };
    }
  }

  private settle({ connection }: Prepared, { attempted }: Called, attempt: Attempt): Settlement {
    if (attempted.stage === 'translate') return { to: 'deadLetter', failure: attempted.failure };
    const { destination, surroundings } = this.ports;
    const { outcome } = attempted;
    // It was decided before a crash, and the record of it may have been lost: it is not decided again.
    const isGivenUp = outcome.kind === 'unknown' && outcome.code === 'GIVEN_UP';
    const own = connection.unknownOutcome ?? destination.unknownOutcome;
    return settle(
      outcome,
      {
        attempt: attempt.number,
        firstFailureMs: attempt.firstFailureMs,
        nowMs: surroundings.nowMs(),
        random: surroundings.random(),
      },
      { schedule: destination.schedule ?? defaultRetrySchedule, unknownOutcome: isGivenUp ? 'drop' : own },
    );
  }

  private report(
    { delivery, event }: Prepared,
    attempt: Attempt,
    { attempted: { outcome }, wasSent }: Called,
    settlement: Settlement,
    durationMs: number,
  ): void {
    if (wasSent) this.ports.onAttempt(outcome.kind, durationMs);
    const { logger } = this.ports;
    // The ledger has every delivery; a line for each that went well would cost more than its signature.
    const write = outcome.kind === 'delivered' ? logger.debug : logger.info;
    write.call(
      logger,
      {
        tenant: event.tenant,
        event: event.id,
        type: event.type,
        delivery: delivery.deliveryId,
        connection: delivery.connectionId,
        destination: this.ports.destination.slug,
        attempt: attempt.number,
        outcome: outcome.kind,
        ...('reason' in outcome && { reason: outcome.reason }),
        settlement: settlement.to,
        durationMs,
        traceId: activeTraceId(),
      },
      wasSent ? 'delivery.attempted' : 'delivery.recalled',
    );
  }

  /** Nothing of it may be lost before the record is settled: neither what people are told nor the claim's result. */
  private async remember(
    record: IncomingRecord,
    prepared: Prepared,
    attempt: Attempt,
    result: { readonly called: Called; readonly settlement: Settlement; readonly durationMs: number },
  ): Promise<void> {
    const claimed = claimResultOf(prepared.delivery.deliveryId, result.called.attempted, result.settlement);
    const settleClaim = async () => {
      const { claims } = this.ports;
      if (claims) await untilDurable(() => claims.settle(claimed), attempt.signal);
    };
    // Who holds a record must have told so before it may be sent again.
    const isHeld = result.settlement.to === 'suspend';
    await Promise.all([this.tell(record, prepared, attempt, result), isHeld ? undefined : settleClaim()]);
    if (isHeld) await settleClaim();
  }

  private async tell(
    record: IncomingRecord,
    { delivery, event, connection }: Prepared,
    { number, signal }: Attempt,
    result: { readonly called: Called; readonly settlement: Settlement; readonly durationMs: number },
  ): Promise<void> {
    const { settlement, durationMs } = result;
    const { outcome } = result.called.attempted;
    const { refused } = result.called;
    const { audit } = this.ports;
    const facts = this.facts(record, delivery, event, number, durationMs);
    if (refused) {
      const failure = unauthorized('secret-replaced', `${reasonOf(refused)}; the secret was replaced, and tried again`);
      await audit.writeUntilDurable(attemptedRecord({ ...facts, outcome: refused.kind, failure }), signal);
    }
    if (outcome.kind === 'delivered') {
      const receipt = outcome.receipt;
      const payloadDigest = sha256Hex(record.value ?? '');
      // Delivered cannot be undone: only the record of it is repeated until it is durable.
      return audit.writeUntilDurable(
        settledRecord({ ...facts, outcome: 'delivered', receipt, payloadDigest, acceptedAtMs: record.timestampMs }),
        signal,
      );
    }
    if (!('failure' in settlement)) return;
    const { failure } = settlement;
    // The attempt was made and may have had its effect: put back for the sake of its record, it would be made again.
    await audit.writeUntilDurable(
      attemptedRecord({
        ...facts,
        occurredAtMs: facts.occurredAtMs + (refused ? 1 : 0),
        outcome: outcome.kind,
        failure,
      }),
      signal,
    );
    if (settlement.to === 'suspend') {
      const { untilMs } = settlement;
      await untilDurable(() => this.ports.suspend(connection.id, connection.tenant, failure.reason, untilMs), signal);
    }
  }

  private facts(
    record: IncomingRecord,
    delivery: DeliveryAttributes | undefined,
    event: Omit<CanonicalEvent, 'data'> | undefined,
    attempt: number,
    durationMs: number,
  ): DeliveryFacts {
    return {
      actor: this.ports.actor,
      occurredAtMs: this.ports.surroundings.nowMs(),
      traceId: activeTraceId(),
      tenant: event?.tenant,
      eventSource: event?.source,
      eventId: event?.id,
      eventType: event?.type,
      subject: event?.subject,
      origin: originOf(record),
      deliveryId: delivery?.deliveryId ?? '',
      subscriptionId: delivery?.subscriptionId ?? '',
      connectionId: delivery?.connectionId ?? '',
      operation: delivery?.operation ?? '',
      destination: this.ports.destination.slug,
      attempt,
      durationMs,
      redrive: redriveOf(record),
    };
  }
}

/** What is remembered of a delivery. An unknown outcome that is given up must not be sent again by a crash at this moment. */
function claimResultOf(deliveryId: string, { outcome }: Attempted, settlement: Settlement): DeliveryClaimResult {
  if (outcome.kind === 'delivered') return { deliveryId, result: 'delivered', receipt: outcome.receipt };
  const isGivenUp = outcome.kind === 'unknown' && settlement.to === 'deadLetter';
  return { deliveryId, result: isGivenUp ? 'dropped' : 'released' };
}

const reasonOf = (outcome: DeliveryOutcome): string => ('reason' in outcome ? outcome.reason : outcome.kind);

const attemptsMade = (record: IncomingRecord): number => Number(record.headers[retryHeaders.attempt] ?? 0) || 0;

const unauthorized = (code: string, reason: string): Failure => ({
  errorClass: 'unauthorized',
  code,
  reason,
  stage: 'prepare',
});

const dead = (errorClass: Failure['errorClass'], code: string, reason: string): Settlement => ({
  to: 'deadLetter',
  failure: { errorClass, code, reason, stage: 'prepare' },
});
