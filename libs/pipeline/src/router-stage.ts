import { deliveryHeaders, type PlannedDelivery, topicFamilies } from '@tributary/contracts';
import type { SubscriptionIndex } from '@tributary/control';
import { type CanonicalEvent, type Failure, plannedRecord, type Settlement, sha256Hex } from '@tributary/domain';
import type { IncomingRecord, OutgoingRecord } from '@tributary/kafka';
import { activeTraceId } from '@tributary/telemetry';
import type { AuditTrail } from './audit-trail.js';
import { attributesOf, originOf, redriveOf } from './event-headers.js';
import type { RecordCodec, RecordWriter, Surroundings } from './ports.js';
import { failureUnlessRetryable, invalidRecord } from './record-failure.js';

export interface RouterPorts {
  readonly codec: Pick<RecordCodec, 'decode'>;
  readonly writer: RecordWriter;
  readonly audit: AuditTrail;
  readonly subscriptions: Pick<SubscriptionIndex, 'needsData' | 'route'>;
  readonly surroundings: Surroundings;
  readonly actor: string;
  readonly onPlanned: (destination: string) => void;
}

type Attributes = Omit<CanonicalEvent, 'data'>;

/** Canonical events in, one delivery per subscription out. Never decodes what no filter looks into. */
export class RouterStage {
  constructor(private readonly ports: RouterPorts) {}

  async handle(record: IncomingRecord): Promise<Settlement> {
    const reading = attributesOf(record.headers);
    if (!reading.ok) return { to: 'deadLetter', failure: invalid('attributes-missing', reading.reason) };
    const { attributes } = reading;
    const data = await this.dataOf(record, attributes);
    if ('errorClass' in data) return { to: 'deadLetter', failure: data };
    const { deliveries, skipped } = this.ports.subscriptions.route({ ...attributes, data: data.value });
    await Promise.all([
      ...deliveries.map((delivery) => this.ports.writer.send(deliveryRecord(record, delivery))),
      this.tell(record, attributes, { deliveries, skipped }),
    ]);
    for (const { destination } of deliveries) this.ports.onPlanned(destination);
    return { to: 'commit' };
  }

  /** Called once an event is in the dead-letter topic and before its offset is committed. */
  async recordDeath(record: IncomingRecord, failure: Failure): Promise<void> {
    const reading = attributesOf(record.headers);
    await this.tell(record, reading.ok ? reading.attributes : undefined, { deliveries: [], skipped: [], failure });
  }

  private async dataOf(
    record: IncomingRecord,
    { tenant, type }: Attributes,
  ): Promise<{ value: CanonicalEvent['data'] } | Failure> {
    if (!this.ports.subscriptions.needsData(tenant, type)) return { value: {} };
    if (!record.value) return invalid('value-missing', 'a filter needs the data and the record has no value');
    try {
      const { value } = await this.ports.codec.decode<Record<string, unknown>>(record.value);
      return { value };
    } catch (error) {
      return failureUnlessRetryable(error, 'decode');
    }
  }

  private async tell(
    record: IncomingRecord,
    attributes: Attributes | undefined,
    plan: Pick<Parameters<typeof plannedRecord>[0], 'deliveries' | 'skipped' | 'failure'>,
  ): Promise<void> {
    await this.ports.audit.write(
      plannedRecord({
        actor: this.ports.actor,
        occurredAtMs: this.ports.surroundings.nowMs(),
        traceId: activeTraceId(),
        tenant: attributes?.tenant,
        eventSource: attributes?.source,
        eventId: attributes?.id,
        eventType: attributes?.type,
        subject: attributes?.subject,
        origin: originOf(record),
        payloadDigest: sha256Hex(record.value ?? ''),
        redrive: redriveOf(record),
        ...plan,
      }),
    );
  }
}

const invalid = (code: string, reason: string): Failure => invalidRecord('decode', code, reason);

/** The event's bytes and headers unchanged, plus what the delivery is. The partition is the account's. */
function deliveryRecord(record: IncomingRecord, delivery: PlannedDelivery): OutgoingRecord {
  return {
    topic: topicFamilies.delivery(delivery.destination).name,
    key: record.key,
    value: record.value,
    partitionBy: delivery.connectionId,
    timestampMs: record.timestampMs,
    headers: {
      ...withoutOwn(record.rawHeaders),
      [deliveryHeaders.deliveryId]: delivery.deliveryId,
      [deliveryHeaders.subscriptionId]: delivery.subscriptionId,
      [deliveryHeaders.connectionId]: delivery.connectionId,
      [deliveryHeaders.operation]: delivery.operation,
    },
  };
}

// The event's own chain (an event redriven to the router) ends here: a delivery begins a story of its own.
function withoutOwn(headers: IncomingRecord['rawHeaders']): IncomingRecord['rawHeaders'] {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !/^x-(origin|retry|error|redrive|delivery)-/i.test(name)),
  );
}
