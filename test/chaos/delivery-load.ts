import { setTimeout as sleep } from 'node:timers/promises';
import {
  avroContentType,
  cloudEventHeaders as ce,
  contentTypeHeader,
  deliveryHeaders,
  topicFamilies,
} from '@tributary/contracts';
import { deliveryId, eventKey, eventSource } from '@tributary/domain';
import { createKafka, type RecordPosition, RecordProducer } from '@tributary/kafka';
import { createLogger } from '@tributary/telemetry';
import type { Environment } from '../../tools/start/environment.js';

const tenant = 'faults';
const record = 'tributary.external.ExternalEvent';
export const eventType = 'crm.fault.tested';
/** Longer than any fault lasts: what was sent once is never sent a second time by us. */
const produceDeadlineMs = 180_000;
const tickMs = 10;

/** Writes deliveries straight to the connectors' topic, at a steady rate, each key in order. */
export class DeliveryLoad {
  /** Records by key, `<connection>/<subject>`. */
  readonly sent = new Map<string, number>();
  private readonly pending: Promise<unknown>[] = [];
  private failure: Error | undefined;
  private isRunning = false;
  private running: Promise<void> = Promise.resolve();
  private turn = 0;

  private constructor(
    private readonly producer: RecordProducer,
    private readonly value: Buffer,
    private readonly connections: readonly string[],
    private readonly keysPerConnection: number,
  ) {}

  static async open(
    { platform, stack }: Environment,
    connections: readonly string[],
    keysPerConnection: number,
  ): Promise<DeliveryLoad> {
    const logger = createLogger({ service: 'chaos', instance: String(process.pid), level: 'silent' });
    const client = createKafka({ brokers: stack.kafka.brokers, clientId: 'chaos', logger });
    const producer = new RecordProducer(client, { deadlineMs: produceDeadlineMs, maxQueuedRecords: 100_000 });
    const event = { type: eventType, data: '{"fault":"tested"}', occurredAt: null };
    const value = await platform.codec.encode(topicFamilies.events('crm').name, record, event);
    return new DeliveryLoad(producer, value, connections, keysPerConnection);
  }

  start(perSecond: number): void {
    this.isRunning = true;
    this.running = this.run(perSecond);
  }

  /** Resolves when everything that was sent is acknowledged. */
  async stop(): Promise<void> {
    this.isRunning = false;
    await this.running;
    await this.acknowledged();
  }

  async close(): Promise<void> {
    this.isRunning = false;
    await this.running;
    await this.producer.close();
  }

  /** One record of a key, on the partition of its connection unless another is named. */
  send(connection: string, subject: string, partition?: number): Promise<RecordPosition | undefined> {
    const key = `${connection}/${subject}`;
    const n = this.sent.get(key) ?? 0;
    this.sent.set(key, n + 1);
    const id = `${connection}.${subject}.${n}`;
    const source = eventSource(tenant, connection);
    const sending = this.producer.send({
      topic: topicFamilies.delivery('http').name,
      key: eventKey(tenant, subject, id),
      value: this.value,
      ...(partition === undefined ? { partitionBy: connection } : { partition }),
      timestampMs: Date.now(),
      headers: {
        [ce.specversion]: '1.0',
        [ce.id]: id,
        [ce.source]: source,
        [ce.type]: eventType,
        [ce.tenant]: tenant,
        [ce.subject]: subject,
        [ce.dataschema]: `urn:avro:${record}`,
        [contentTypeHeader]: avroContentType,
        [deliveryHeaders.deliveryId]: deliveryId(source, id, connection),
        [deliveryHeaders.subscriptionId]: connection,
        [deliveryHeaders.connectionId]: connection,
        [deliveryHeaders.operation]: 'postEvent',
      },
    });
    const settled = sending.catch((error: Error) => {
      this.failure ??= error;
      return undefined;
    });
    this.pending.push(settled);
    return settled;
  }

  get total(): number {
    return [...this.sent.values()].reduce((sum, count) => sum + count, 0);
  }

  async acknowledged(): Promise<void> {
    await Promise.all(this.pending.splice(0));
    if (this.failure) throw new Error(`the load could not be written: ${this.failure.message}`);
  }

  private async run(perSecond: number): Promise<void> {
    const startedAt = performance.now();
    for (let count = 0; this.isRunning; ) {
      const due = ((performance.now() - startedAt) * perSecond) / 1000;
      for (; count < due; count++) this.sendNext();
      if (this.pending.length > 20_000) await this.acknowledged();
      await sleep(tickMs);
    }
  }

  private sendNext(): void {
    const turn = this.turn++;
    const connection = this.connections[turn % this.connections.length] as string;
    const key = Math.floor(turn / this.connections.length) % this.keysPerConnection;
    void this.send(connection, `key-${key}`);
  }
}

/** Key and place of an effect, by the id of its event. */
export function placeOf(eventId: string): { readonly connection: string; readonly key: string; readonly n: number } {
  const [connection = '', subject = '', n = ''] = eventId.split('.');
  return { connection, key: `${connection}/${subject}`, n: Number(n) };
}
