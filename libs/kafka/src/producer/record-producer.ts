import { SpanStatusCode } from '@opentelemetry/api';
import type { KafkaClient } from '../connection/client.js';
import { type Clock, type ClockTimer, sleep, systemClock } from '../connection/clock.js';
import { errorFields, type Logger } from '../connection/logger.js';
import { RequestSpacing, spacingOfSmall } from '../connection/request-spacing.js';
import { partitionOf } from '../murmur2.js';
import type { OutgoingRecord, RecordPosition } from '../records.js';
import { PendingQueue, type PendingRecord, sizeOf } from './pending-record.js';
import { ProducerConnection } from './producer-connection.js';
import {
  ProduceDeadlineExceeded,
  ProducerClosed,
  ProducerQueueFull,
  RecordRefused,
  UndeclaredTopic,
  UnknownTopic,
} from './producer-errors.js';
import { classifySendFailure } from './send-failure.js';
import { traceSend } from './send-span.js';
import { TopicLayouts } from './topic-layouts.js';

export interface RecordProducerOptions {
  /** Records without an answer; more are refused with `ProducerQueueFull`. Default 20,000. */
  readonly maxQueuedRecords?: number;
  /** Default 64 MiB. */
  readonly maxQueuedBytes?: number;
  /** From `send` to the answer. Default 30 s. */
  readonly deadlineMs?: number;
  /** Records in one request. Default 500. */
  readonly maxBatchRecords?: number;
  /** Bytes of one partition in one request; must stay below the topics' `max.message.bytes`. A larger record goes alone. */
  readonly maxBatchBytes?: number;
  /** Requests that carry little start so far apart. Default 0: the next starts when the one before is answered. */
  readonly spacingMs?: number;
  /** Names of the only topics that may be written; absent: any. */
  readonly mayWrite?: ReadonlySet<string>;
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** For metrics: called after each request, so it must be quick and must not throw. */
  readonly onRequest?: (request: ProduceRequestFacts) => void;
}

export interface ProduceRequestFacts {
  readonly durationMs: number;
  /** What was acknowledged, by topic. Empty when the request failed. */
  readonly acknowledged: ReadonlyMap<string, number>;
  /** Name of the error, if it failed. */
  readonly error?: string;
}

const defaults = {
  maxQueuedRecords: 20_000,
  maxQueuedBytes: 64 * 1024 * 1024,
  deadlineMs: 30_000,
  maxBatchRecords: 500,
  maxBatchBytes: 900 * 1024,
  spacingMs: 0,
};
/** A request of so many is worth its cost, and whoever sends that much waits for the answers. */
const fewRecords = 16;
const firstPauseMs = 50;
const longestPauseMs = 500;

/**
 * Writes records: idempotent, acknowledged by all replicas, many records to a request.
 *
 * - Two sends for one partition are written in the order of the calls, whatever fails in between: rounds follow each other, and a
 *   failed batch is repeated unchanged until it is settled.
 * - Every call is answered within `deadlineMs`. A record that was never handed to Kafka by then is withdrawn and will not
 *   arrive. A record that was in an unanswered request is *unknown*: its caller gets the error, its batch is still repeated, and it
 *   may arrive later.
 * - Nothing must be done after an outage: the waiting batch goes through and the rest follows.
 */
export class RecordProducer {
  private readonly options: typeof defaults;
  private readonly mayWrite: ReadonlySet<string> | undefined;
  private readonly logger: Logger;
  private readonly clock: Clock;
  private readonly connection: ProducerConnection;
  private readonly layouts: TopicLayouts;
  private readonly spacing: RequestSpacing;
  private readonly queue = new PendingQueue();
  /** Handed to Kafka and not settled, oldest first. */
  private inFlight: PendingRecord[] = [];
  private unanswered = 0;
  private unansweredBytes = 0;
  private pumping = false;
  private deadlineTimer: ClockTimer | undefined;
  private nextPartition = 0;
  private closing = false;
  private readonly closed = new AbortController();
  private isDown = false;
  private drained: (() => void) | undefined;
  private readonly onRequest: RecordProducerOptions['onRequest'];

  constructor(client: KafkaClient, options: RecordProducerOptions = {}) {
    const { logger, clock, mayWrite, onRequest, ...limits } = options;
    this.onRequest = onRequest;
    this.options = { ...defaults, ...limits };
    this.mayWrite = mayWrite;
    this.logger = logger ?? client.logger;
    this.clock = clock ?? systemClock;
    this.spacing = new RequestSpacing(this.clock, spacingOfSmall(this.options.spacingMs, fewRecords));
    this.connection = new ProducerConnection(client);
    this.layouts = new TopicLayouts(client);
  }

  /** Records without an answer yet. */
  get queued(): number {
    return this.unanswered;
  }

  /** False while Kafka does not take what we send. */
  get isUp(): boolean {
    return !this.isDown;
  }

  /** Resolves when Kafka is reached, however long that takes. Need not be awaited: `send` works before, within its deadline. */
  async connect(): Promise<void> {
    await this.untilSuccess('connect', () => this.connection.connect());
  }

  /**
   * @returns where the record is, once all replicas have it.
   * @throws ProducerQueueFull and UndeclaredTopic at once, ProduceDeadlineExceeded, UnknownTopic, RecordRefused, ProducerClosed.
   */
  send(record: OutgoingRecord): Promise<RecordPosition> {
    const traced = traceSend(record);
    const sent = this.enqueue(traced.record);
    const { span } = traced;
    if (!span) return sent;
    return sent.then(
      (position) => {
        span.setAttribute('messaging.destination.partition.id', String(position.partition));
        span.setAttribute('messaging.kafka.offset', Number(position.offset));
        span.end();
        return position;
      },
      (error: Error) => {
        span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
        span.setAttribute('error.type', error.name);
        span.end();
        throw error;
      },
    );
  }

  /** Sends all, in order. Rejects with the first failure after all are answered. */
  async sendAll(records: readonly OutgoingRecord[]): Promise<RecordPosition[]> {
    const answers = await Promise.allSettled(records.map((record) => this.send(record)));
    return answers.map((answer) => {
      if (answer.status === 'rejected') throw answer.reason;
      return answer.value;
    });
  }

  /** Takes no more, waits until the rest is answered (each within its deadline), then disconnects. */
  async close(): Promise<void> {
    this.closing = true;
    if (this.unanswered > 0) await new Promise<void>((resolve) => (this.drained = resolve));
    this.closed.abort();
    this.deadlineTimer?.cancel();
    await this.connection.close();
  }

  private enqueue(record: OutgoingRecord): Promise<RecordPosition> {
    if (this.closing) return Promise.reject(new ProducerClosed(record.topic));
    if (this.mayWrite?.has(record.topic) === false) return Promise.reject(new UndeclaredTopic(record.topic));
    if (this.layouts.isMissing(record.topic, this.clock.now())) return Promise.reject(new UnknownTopic(record.topic));
    const bytes = sizeOf(record);
    const { maxQueuedRecords, maxQueuedBytes, deadlineMs } = this.options;
    if (this.unanswered >= maxQueuedRecords || this.unansweredBytes + bytes > maxQueuedBytes) {
      return Promise.reject(new ProducerQueueFull(this.unanswered, this.unansweredBytes));
    }
    this.unanswered += 1;
    this.unansweredBytes += bytes;
    return new Promise((resolve, reject) => {
      const deadlineAtMs = this.clock.now() + deadlineMs;
      this.queue.push({ record, bytes, deadlineAtMs, resolve, reject, partition: -1, answered: false });
      this.watchDeadlines(deadlineMs);
      this.startPump();
    });
  }

  // Gathers what the current turn of the event loop sends, so that concurrent callers share a request.
  private startPump(): void {
    if (this.pumping) return;
    this.pumping = true;
    setImmediate(() => void this.pump());
  }

  private async pump(): Promise<void> {
    while (this.queue.length > 0 && !this.closed.signal.aborted) {
      await this.spacing.turn(this.closed.signal);
      await this.learnTopics();
      const batch = this.takeBatch();
      if (batch.length === 0) continue;
      this.inFlight = batch;
      await Promise.all(this.byLeader(batch).map((group) => this.deliver(group)));
      this.inFlight = [];
      this.spacing.carried(batch.length);
    }
    this.pumping = false;
  }

  private async learnTopics(): Promise<void> {
    const missing = new Set<string>();
    for (let i = 0; i < this.options.maxBatchRecords; i++) {
      const waiting = this.queue.peek(i);
      if (!waiting) break;
      if (!this.layouts.get(waiting.record.topic)) missing.add(waiting.record.topic);
    }
    if (missing.size === 0) return;
    const unknown = await this.untilSuccess('topic-lookup', () => this.layouts.load([...missing]), true);
    for (const topic of unknown ?? []) this.refuseTopic(topic);
  }

  private refuseTopic(topic: string): void {
    this.logger.warn({ topic }, 'producer.topic-unknown');
    this.layouts.noteMissing(topic, this.clock.now());
    for (const pending of this.queue.removeWhere(({ record }) => record.topic === topic)) {
      this.fail(pending, new UnknownTopic(topic));
    }
  }

  /** The next records in order, up to the limits; those already answered are left out for good. */
  private takeBatch(): PendingRecord[] {
    const batch: PendingRecord[] = [];
    const bytesOf = new Map<string, number>();
    while (batch.length < this.options.maxBatchRecords) {
      const next = this.queue.peek();
      if (!next) break;
      const layout = this.layouts.get(next.record.topic);
      if (!layout) break;
      if (next.partition < 0) next.partition = this.choosePartition(next.record, layout.partitions);
      const name = `${next.record.topic}:${next.partition}`;
      const bytes = (bytesOf.get(name) ?? 0) + next.bytes;
      if (bytes > this.options.maxBatchBytes && bytesOf.has(name)) break;
      bytesOf.set(name, bytes);
      this.queue.shift();
      if (!next.answered) batch.push(next);
    }
    return batch;
  }

  private choosePartition({ partition, partitionBy, key }: OutgoingRecord, count: number): number {
    if (partition !== undefined) return partition;
    const chooser = partitionBy ?? key;
    if (chooser !== null) return partitionOf(chooser, count);
    this.nextPartition = (this.nextPartition + 1) % count;
    return this.nextPartition;
  }

  /** One request per broker: a request that fails at one broker must not make another broker's records go twice. */
  private byLeader(batch: readonly PendingRecord[]): PendingRecord[][] {
    const leaderOf = ({ record, partition }: PendingRecord) => this.layouts.get(record.topic)?.leaders[partition] ?? -1;
    return [...groupBy(batch, leaderOf).values()];
  }

  /** Sends one batch until it is settled: acknowledged, refused, or given up because the producer closes. */
  private async deliver(batch: readonly PendingRecord[]): Promise<void> {
    for (let pauseMs = firstPauseMs; !this.closed.signal.aborted; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        const positions = await this.request(batch);
        this.noteUp();
        for (let i = 0; i < batch.length; i++)
          this.acknowledge(batch[i] as PendingRecord, positions[i] as RecordPosition);
        return;
      } catch (error) {
        if (await this.handleFailure(batch, error)) return;
        await sleep(this.clock, pauseMs, this.closed.signal);
      }
    }
  }

  private async request(batch: readonly PendingRecord[]): Promise<RecordPosition[]> {
    if (!this.onRequest) return this.connection.send(batch);
    const startedAtMs = performance.now();
    try {
      const positions = await this.connection.send(batch);
      const acknowledged = new Map<string, number>();
      for (const { record } of batch) acknowledged.set(record.topic, (acknowledged.get(record.topic) ?? 0) + 1);
      this.onRequest({ durationMs: performance.now() - startedAtMs, acknowledged });
      return positions;
    } catch (error) {
      const durationMs = performance.now() - startedAtMs;
      this.onRequest({ durationMs, acknowledged: new Map(), error: error instanceof Error ? error.name : 'unknown' });
      throw error;
    }
  }

  /** @returns true when the batch needs no further attempt. */
  private async handleFailure(batch: readonly PendingRecord[], error: unknown): Promise<boolean> {
    switch (classifySendFailure(error)) {
      case 'refused':
        await this.isolateRefused(batch, error);
        return true;
      case 'unknown-topic':
        return this.dropUnknownTopics(batch, error);
      case 'identity':
        this.logger.warn({ ...errorFields(error), records: batch.length }, 'producer.identity-replaced');
        await this.connection.replace();
        return false;
      default:
        this.noteDown(error);
        return false;
    }
  }

  // The answer does not say which record was refused. Partitions of the request that were taken are repeated unchanged, so the
  // broker recognises them; of a refused partition nothing was written, so its records may go one by one.
  private async isolateRefused(batch: readonly PendingRecord[], error: unknown): Promise<void> {
    const partitions = groupBy(batch, ({ record, partition }) => `${record.topic}:${partition}`);
    if (partitions.size > 1) {
      for (const group of partitions.values()) await this.deliver(group);
      return;
    }
    if (batch.length > 1) {
      for (const pending of batch) await this.deliver([pending]);
      return;
    }
    const only = batch[0];
    if (!only) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.fail(only, new RecordRefused(only.record.topic, reason, error));
  }

  /** A topic was deleted while we wrote to it, or its leader is not known yet: only the cluster's own list tells. */
  private async dropUnknownTopics(batch: readonly PendingRecord[], error: unknown): Promise<boolean> {
    this.layouts.forget();
    const topics = [...new Set(batch.map(({ record }) => record.topic))];
    const unknown = await this.untilSuccess('topic-lookup', () => this.layouts.load(topics), true);
    if (!unknown || unknown.length === 0) {
      this.noteDown(error);
      return false;
    }
    for (const topic of unknown) this.refuseTopic(topic);
    const [gone, rest] = [
      batch.filter((p) => unknown.includes(p.record.topic)),
      batch.filter((p) => !unknown.includes(p.record.topic)),
    ];
    for (const pending of gone) this.fail(pending, new UnknownTopic(pending.record.topic));
    if (rest.length > 0) await this.deliver(rest);
    return true;
  }

  /** Repeats until it works. With `whileWaiting`, gives up (undefined) when nobody waits any more. */
  private async untilSuccess<T>(what: string, act: () => Promise<T>, whileWaiting = false): Promise<T | undefined> {
    for (let pauseMs = firstPauseMs; !this.closed.signal.aborted; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        const result = await act();
        this.noteUp();
        return result;
      } catch (error) {
        this.noteDown(error, what);
      }
      await sleep(this.clock, pauseMs, this.closed.signal);
      if (whileWaiting && this.unanswered === 0) return undefined;
    }
    return undefined;
  }

  private acknowledge(pending: PendingRecord, position: RecordPosition): void {
    if (pending.answered) {
      this.logger.info({ ...position, offset: String(position.offset) }, 'producer.late-acknowledgement');
      return;
    }
    this.answer(pending);
    pending.resolve(position);
  }

  private fail(pending: PendingRecord, error: Error): void {
    if (pending.answered) return;
    this.answer(pending);
    pending.reject(error);
  }

  private answer(pending: PendingRecord): void {
    pending.answered = true;
    this.unanswered -= 1;
    this.unansweredBytes -= pending.bytes;
    if (this.unanswered === 0) this.drained?.();
  }

  // All records have the same time, so the oldest is due first and one timer serves all.
  private watchDeadlines(inMs: number): void {
    this.deadlineTimer ??= this.clock.after(inMs, () => {
      this.deadlineTimer = undefined;
      const nextAtMs = this.expire(this.clock.now());
      if (nextAtMs !== undefined) this.watchDeadlines(nextAtMs - this.clock.now());
    });
  }

  /** @returns when the next one is due. */
  private expire(nowMs: number): number | undefined {
    const { deadlineMs } = this.options;
    const late = ({ record: { topic } }: PendingRecord, sent: boolean) =>
      new ProduceDeadlineExceeded(topic, deadlineMs, sent, this.lastFailure);
    for (const pending of this.inFlight) {
      if (pending.answered) continue;
      if (pending.deadlineAtMs > nowMs) return pending.deadlineAtMs;
      this.fail(pending, late(pending, true));
    }
    for (let next = this.queue.peek(); next; next = this.queue.peek()) {
      if (next.deadlineAtMs > nowMs) return next.deadlineAtMs;
      this.queue.shift();
      this.fail(next, late(next, false));
    }
    return undefined;
  }

  private lastFailure: unknown;

  private noteDown(error: unknown, what = 'send'): void {
    this.lastFailure = error;
    const line = { ...errorFields(error), what, queued: this.unanswered };
    if (this.isDown) {
      this.logger.debug(line, 'producer.still-down');
      return;
    }
    this.isDown = true;
    // Leaders may have moved.
    this.layouts.forget();
    this.logger.warn(line, 'producer.down');
  }

  private noteUp(): void {
    this.lastFailure = undefined;
    if (!this.isDown) return;
    this.isDown = false;
    this.logger.info({ queued: this.unanswered }, 'producer.up');
  }
}

function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
