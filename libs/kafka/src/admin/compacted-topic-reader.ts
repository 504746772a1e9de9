import { randomUUID } from 'node:crypto';
import { followerGroupPrefix } from '@tributary/contracts';
import type { Consumer, EachBatchPayload } from 'kafkajs';
import type { KafkaClient } from '../connection/client.js';
import { type Clock, sleep, systemClock } from '../connection/clock.js';
import { isPassingCrash } from '../connection/kafka-errors.js';
import { errorFields, type Logger } from '../connection/logger.js';
import { heartbeatIntervalMs, sessionTimeoutMs } from '../consumer/kafkajs-driver.js';

export interface CompactedTopicReaderOptions {
  readonly client: KafkaClient;
  readonly topic: string;
  /** A null value is a tombstone: the key is gone. Called in the order of the topic; must not throw. */
  readonly onRecord: (key: string, value: Buffer | null, offset: number) => void | Promise<void>;
  /** Reading stopped for good; the process should end with an error. */
  readonly onFatal?: (error: Error) => void;
  readonly logger: Logger;
  readonly clock?: Clock;
}

const retryPauseMs = 500;
/** Every service has two to four of these readers, so short waits would be most of an idle broker's requests. Bounds how long `stop` takes. */
const maxWaitMs = 500;
const emptyFetchesAtEnd = 2;

/**
 * Reads a compacted topic of one partition from its beginning, then follows it. The group is thrown away, so each process reads
 * all of it. After an outage it goes on where it was; records may then be told again, never left out.
 */
export class CompactedTopicReader {
  private readonly consumer: Consumer;
  private readonly clock: Clock;
  private readonly stopping = new AbortController();
  /** Resolves when everything that was in the topic at the start has been told. */
  readonly ready: Promise<void>;
  private becomeReady: () => void = () => {};
  private isReachedEnd = false;
  /** Where the topic ended when reading began; ready once everything below was told. */
  private endAtStart: number | undefined;
  private next = 0;
  private emptyFetches = 0;

  constructor(private readonly options: CompactedTopicReaderOptions) {
    this.clock = options.clock ?? systemClock;
    this.ready = new Promise((resolve) => {
      this.becomeReady = resolve;
    });
    this.consumer = options.client.newConsumer({
      groupId: `${followerGroupPrefix({ name: options.topic })}${randomUUID()}`,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatIntervalMs,
      maxWaitTimeInMs: maxWaitMs,
      allowAutoTopicCreation: false,
      retry: { retries: 8, initialRetryTime: 100, maxRetryTime: 1_000, restartOnFailure: async () => true },
    });
  }

  get isReady(): boolean {
    return this.isReachedEnd;
  }

  /** Resolves when reading has begun; waits for a cluster or topic that is not there yet. */
  async start(): Promise<void> {
    const { topic } = this.options;
    this.consumer.on('consumer.crash', ({ payload: { error, restart } }) => {
      if (restart) return;
      if (!isPassingCrash(error)) return this.fail(error);
      this.options.logger.warn({ ...errorFields(error), topic }, 'compacted-topic.reads-again');
      this.runAgain().catch((failure: Error) => this.fail(failure));
    });
    // Nothing is ever committed, so a rejoin would begin at the beginning again: go on where we were.
    this.consumer.on('consumer.group_join', () => {
      if (this.next > 0) this.consumer.seek({ topic, partition: 0, offset: String(this.next) });
    });
    this.consumer.on('consumer.fetch', ({ payload: { duration } }) => this.onFetched(duration));
    await this.untilSuccess('read-end', () => this.readEnd());
    await this.untilSuccess('connect', () => this.consumer.connect());
    await this.untilSuccess('subscribe', () => this.consumer.subscribe({ topics: [topic], fromBeginning: true }));
    await this.run();
  }

  private async run(): Promise<void> {
    if (this.stopping.signal.aborted) return;
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (batch) => this.onBatch(batch),
    });
  }

  private async runAgain(): Promise<void> {
    await sleep(this.clock, retryPauseMs, this.stopping.signal);
    await this.untilSuccess('connect', () => this.consumer.connect());
    await this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.consumer.disconnect();
  }

  private async onBatch({ batch, resolveOffset, heartbeat, isRunning, isStale }: EachBatchPayload): Promise<void> {
    this.emptyFetches = 0;
    for (const { key, value, offset } of batch.messages) {
      if (!isRunning() || isStale()) return;
      if (Number(offset) < this.next) continue;
      try {
        await this.options.onRecord(key?.toString() ?? '', value, Number(offset));
      } catch (error) {
        // Left to kafkajs, this would end or restart the consumer without a word.
        this.fail(error as Error);
        return;
      }
      this.next = Number(offset) + 1;
      resolveOffset(offset);
    }
    this.next = Math.max(this.next, Number(batch.lastOffset()) + 1);
    resolveOffset(String(this.next - 1));
    this.noteProgress();
    await heartbeat();
  }

  private async readEnd(): Promise<void> {
    const admin = this.options.client.newAdmin();
    await admin.connect();
    try {
      const offsets = await admin.fetchTopicOffsets(this.options.topic);
      if (offsets.length !== 1)
        throw new Error(`${this.options.topic} has ${offsets.length} partitions instead of one`);
      const [{ low, high } = { low: '0', high: '0' }] = offsets;
      this.endAtStart = low === high ? 0 : Number(high);
    } finally {
      await admin.disconnect();
    }
    this.noteProgress();
  }

  // Compaction may have removed the very last records, so that no batch ever ends at the end. A fetch that waited its full time
  // and brought nothing has seen it; one that failed comes back at once.
  private onFetched(durationMs: number): void {
    this.emptyFetches = durationMs >= maxWaitMs * 0.9 ? this.emptyFetches + 1 : 0;
    if (this.emptyFetches < emptyFetchesAtEnd || this.endAtStart === undefined) return;
    this.next = Math.max(this.next, this.endAtStart);
    this.noteProgress();
  }

  private noteProgress(): void {
    if (this.isReachedEnd || this.endAtStart === undefined || this.next < this.endAtStart) return;
    this.isReachedEnd = true;
    this.becomeReady();
    this.options.logger.info({ topic: this.options.topic, next: this.next }, 'compacted-topic.read');
  }

  private fail(error: Error): void {
    this.options.logger.error({ ...errorFields(error), topic: this.options.topic }, 'compacted-topic.failed');
    this.options.onFatal?.(error);
  }

  private async untilSuccess(what: string, act: () => Promise<void>): Promise<void> {
    for (let tries = 1; !this.stopping.signal.aborted; tries++) {
      try {
        return await act();
      } catch (error) {
        const line = { ...errorFields(error), topic: this.options.topic, what };
        this.options.logger[tries === 1 ? 'warn' : 'debug'](line, 'compacted-topic.waits');
      }
      await sleep(this.clock, retryPauseMs, this.stopping.signal);
    }
  }
}
