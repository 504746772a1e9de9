import {
  type Attempted,
  type DestinationConnection,
  type DestinationDefinition,
  deliver,
  type HttpClient,
} from '@tributary/connector-kit';
import { retryHeaders, type Subscription, type Suspension } from '@tributary/contracts';
import type { ConnectionLookup } from '@tributary/control';
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
import { activeTraceId, type Logger } from '@tributary/telemetry';
import { type AuditTrail, untilDurable } from './audit-trail.js';
import { attributesOf, type DeliveryAttributes, deliveryAttributesOf, originOf, redriveOf } from './event-headers.js';
import type { RecordCodec, Surroundings } from './ports.js';
import { failureUnlessRetryable } from './record-failure.js';

export interface ConnectorPorts {
  readonly destination: DestinationDefinition;
  readonly http: HttpClient;
  readonly codec: Pick<RecordCodec, 'decode'>;
  readonly audit: AuditTrail;
  readonly find: (connectionId: string) => ConnectionLookup<DestinationDefinition>;
  readonly suspensionOf: (connectionId: string) => Suspension | undefined;
  readonly subscriptionOf: (id: string) => Subscription | undefined;
  /** Makes a suspension known to everybody; durable when it returns. */
  readonly suspend: (connectionId: string, tenant: string, reason: string) => Promise<void>;
  readonly surroundings: Surroundings;
  readonly actor: string;
  readonly logger: Logger;
  readonly onAttempt: (outcome: DeliveryOutcome['kind'], durationMs: number) => void;
}

type Usable = Extract<ConnectionLookup<DestinationDefinition>, { kind: 'usable' }>['connection'];

/** Everything known about a delivery before it is attempted. */
interface Prepared {
  readonly delivery: DeliveryAttributes;
  readonly event: CanonicalEvent;
  readonly connection: Usable;
  readonly mapping: Readonly<Record<string, string>> | undefined;
}

/** While a connection cannot be used, how long its records wait before they look again. */
const lookAgainMs = 5_000;

/** Deliveries in, calls at the destination out: one attempt at a time per lane, settled by one rule. */
export class ConnectorStage {
  constructor(private readonly ports: ConnectorPorts) {}

  async handle(record: IncomingRecord, attempt: Attempt): Promise<Settlement> {
    const prepared = await this.prepare(record);
    if ('to' in prepared) return prepared;
    const startedAtMs = this.ports.surroundings.nowMs();
    const attempted = await deliver(this.ports.destination, prepared.delivery.operation, {
      event: prepared.event,
      ...(prepared.mapping && { mapping: prepared.mapping }),
      connection: prepared.connection as DestinationConnection,
      deliveryId: prepared.delivery.deliveryId,
      attempt: attempt.number,
      http: this.ports.http,
      nowMs: startedAtMs,
      signal: attempt.signal,
    });
    const durationMs = this.ports.surroundings.nowMs() - startedAtMs;
    const settlement = this.settle(attempted, attempt);
    this.report(prepared, attempt, attempted.outcome, settlement, durationMs);
    await this.tell(record, prepared, attempt, { outcome: attempted.outcome, settlement, durationMs });
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
    return { delivery, event: { ...reading.attributes, data: data.value }, connection, mapping };
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

  private settle(attempted: Attempted, attempt: Attempt): Settlement {
    if (attempted.stage === 'translate') return { to: 'deadLetter', failure: attempted.failure };
    const { destination, surroundings } = this.ports;
    return settle(
      attempted.outcome,
      {
        attempt: attempt.number,
        firstFailureMs: attempt.firstFailureMs,
        nowMs: surroundings.nowMs(),
        random: surroundings.random(),
      },
      { schedule: destination.schedule ?? defaultRetrySchedule, unknownOutcome: destination.unknownOutcome },
    );
  }

  private report(
    { delivery, event }: Prepared,
    attempt: Attempt,
    outcome: DeliveryOutcome,
    settlement: Settlement,
    durationMs: number,
  ): void {
    this.ports.onAttempt(outcome.kind, durationMs);
    this.ports.logger.info(
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
      'delivery.attempted',
    );
  }

  private async tell(
    record: IncomingRecord,
    { delivery, event, connection }: Prepared,
    attempt: Attempt,
    result: { readonly outcome: DeliveryOutcome; readonly settlement: Settlement; readonly durationMs: number },
  ): Promise<void> {
    const { outcome, settlement, durationMs } = result;
    const facts = this.facts(record, delivery, event, attempt.number, durationMs);
    if (outcome.kind === 'delivered') {
      const receipt = outcome.receipt;
      const payloadDigest = sha256Hex(record.value ?? '');
      // Delivered cannot be undone: only the record of it is repeated until it is durable.
      return this.ports.audit.writeUntilDurable(
        settledRecord({ ...facts, outcome: 'delivered', receipt, payloadDigest, acceptedAtMs: record.timestampMs }),
        attempt.signal,
      );
    }
    if (!('failure' in settlement)) return;
    const { failure } = settlement;
    // The attempt was made and may have had its effect: put back for the sake of its record, it would be made again.
    await this.ports.audit.writeUntilDurable(
      attemptedRecord({ ...facts, outcome: outcome.kind, failure }),
      attempt.signal,
    );
    if (settlement.to === 'suspend')
      await untilDurable(() => this.ports.suspend(connection.id, connection.tenant, failure.reason), attempt.signal);
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
