import type { Message, Producer, TopicMessages } from 'kafkajs';
import type { KafkaClient } from '../connection/client.js';
import { isRequestTimeout } from '../connection/kafka-errors.js';
import { errorFields } from '../connection/logger.js';
import type { RecordPosition } from '../records.js';
import type { PendingRecord } from './pending-record.js';

/** How long the broker may wait for its replicas. */
const replicationTimeoutMs = 4_000;

/**
 * One idempotent kafkajs producer, and its replacement. kafkajs takes back its sequence numbers when a request fails, so the next
 * batch for the same partition would get the numbers of the failed one and the broker would drop it as a repeat. Therefore
 * nobody sends a partition's next batch before the previous one is settled: `RecordProducer` sees to that.
 */
export class ProducerConnection {
  private producer: Producer;
  private connecting: Promise<void> | undefined;
  private isConnected = false;

  constructor(private readonly client: KafkaClient) {
    this.producer = client.newProducer();
  }

  connect(): Promise<void> {
    if (this.isConnected) return Promise.resolve();
    this.connecting ??= this.producer
      .connect()
      .then(() => {
        this.isConnected = true;
      })
      .finally(() => {
        this.connecting = undefined;
      });
    return this.connecting;
  }

  /** Sends records whose partitions are led by one broker. The answer has one position per record, in their order. */
  async send(batch: readonly PendingRecord[]): Promise<RecordPosition[]> {
    await this.connect();
    const topicMessages = messagesByTopic(batch);
    try {
      const answers = await this.producer.sendBatch({ topicMessages, acks: -1, timeout: replicationTimeoutMs });
      return positionsOf(batch, answers);
    } catch (error) {
      if (isRequestTimeout(error)) await this.reconnect();
      throw error;
    }
  }

  /** A new producer id. What the old one had in flight may have been written: a repeat is possible. */
  async replace(): Promise<void> {
    const old = this.producer;
    this.producer = this.client.newProducer();
    this.isConnected = false;
    await this.disconnectQuietly(old);
  }

  async close(): Promise<void> {
    // Disconnecting a client that is still connecting would leave its sockets open, and the process alive.
    await this.connecting?.catch(() => undefined);
    this.isConnected = false;
    await this.disconnectQuietly(this.producer);
  }

  // A peer that vanished without closing its connection is noticed by the operating system after many minutes only. The producer
  // id and the sequence numbers survive this, so the repeated batch is still recognised.
  private async reconnect(): Promise<void> {
    this.isConnected = false;
    await this.disconnectQuietly(this.producer);
  }

  private async disconnectQuietly(producer: Producer): Promise<void> {
    try {
      await producer.disconnect();
    } catch (error) {
      this.client.logger.debug(errorFields(error), 'producer.disconnect-failed');
    }
  }
}

function messagesByTopic(batch: readonly PendingRecord[]): TopicMessages[] {
  const topics = new Map<string, Message[]>();
  for (const { record, partition } of batch) {
    let messages = topics.get(record.topic);
    if (!messages) {
      messages = [];
      topics.set(record.topic, messages);
    }
    messages.push({
      key: record.key,
      value: record.value,
      partition,
      ...(record.headers !== undefined && { headers: record.headers }),
      ...(record.timestampMs !== undefined && { timestamp: String(record.timestampMs) }),
    });
  }
  return [...topics].map(([topic, messages]) => ({ topic, messages }));
}

interface PartitionAnswer {
  readonly topicName: string;
  readonly partition: number;
  readonly baseOffset?: string;
}

function positionsOf(batch: readonly PendingRecord[], answers: readonly PartitionAnswer[]): RecordPosition[] {
  const next = new Map<string, bigint>();
  for (const { topicName, partition, baseOffset } of answers)
    next.set(`${topicName}:${partition}`, BigInt(baseOffset ?? -1));
  return batch.map(({ record: { topic }, partition }) => {
    const name = `${topic}:${partition}`;
    // The request succeeded as a whole; -1 is Kafka's own word for "written, offset not told".
    const offset = next.get(name) ?? -1n;
    if (offset >= 0n) next.set(name, offset + 1n);
    return { topic, partition, offset };
  });
}
