import { randomUUID } from 'node:crypto';
import { readerGroupPrefix } from '@tributary/contracts';
import type { Consumer, EachBatchPayload } from 'kafkajs';
import type { KafkaClient } from '../connection/client.js';
import { headerValueText, type IncomingRecord } from '../records.js';

/** Offsets of one partition to read, from (included) to (not included). */
export interface OffsetRange {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

export interface TopicReadOptions {
  readonly client: KafkaClient;
  /** Read one after the other, in this order. */
  readonly ranges: readonly OffsetRange[];
  /** Longest silence of the broker before reading gives up. Default 15 s. */
  readonly silenceMs?: number;
}

const defaultSilenceMs = 15_000;
/** Who reads may take its time with a record; the group must not lose us meanwhile. */
const heartbeatEveryMs = 2_000;

/**
 * What the ranges hold now, range by range. No more than one fetch is in memory, however long the reader takes for a record.
 * Commits nothing: the group is thrown away.
 */
export async function* readRecords(options: TopicReadOptions): AsyncGenerator<IncomingRecord, void> {
  const ranges = options.ranges.filter(({ from, to }) => to > from);
  const [first] = ranges;
  if (!first) return;
  const consumer = options.client.newConsumer({
    groupId: `${readerGroupPrefix({ name: first.topic })}${randomUUID()}`,
    maxWaitTimeInMs: 100,
    allowAutoTopicCreation: false,
  });
  const reading = new Reading(consumer, ranges, options.silenceMs ?? defaultSilenceMs);
  try {
    await consumer.connect();
    await reading.start();
    for (let record = await reading.next(); record; record = await reading.next()) yield record;
  } finally {
    reading.end();
    await consumer.disconnect();
  }
}

class Reading {
  private at = 0;
  /** The first offset of the present range that was not handed over yet. */
  private position: number;
  private fetched: IncomingRecord[] = [];
  private taken = 0;
  private isOver = false;
  private failure: Error | undefined;
  private wakeReader: () => void = () => {};
  private wakeFetcher: () => void = () => {};
  private silence: NodeJS.Timeout | undefined;

  constructor(
    private readonly consumer: Consumer,
    private readonly ranges: readonly OffsetRange[],
    private readonly silenceMs: number,
  ) {
    this.position = ranges[0]?.from ?? 0;
  }

  async start(): Promise<void> {
    this.consumer.on('consumer.crash', ({ payload }) => payload.restart || this.fail(payload.error));
    // A rejoin begins at the beginning again and forgets nothing that was paused: go on where we were.
    this.consumer.on('consumer.group_join', () => this.turnTo());
    await this.consumer.subscribe({ topics: [...new Set(this.ranges.map(({ topic }) => topic))], fromBeginning: true });
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (batch) => this.onBatch(batch),
    });
  }

  /** Undefined when all is read. */
  async next(): Promise<IncomingRecord | undefined> {
    for (;;) {
      const record = this.fetched[this.taken];
      if (record) {
        this.taken += 1;
        return record;
      }
      if (this.failure) throw this.failure;
      if (this.isOver) return undefined;
      this.fetched = [];
      this.taken = 0;
      this.listen();
      await new Promise<void>((resolve) => {
        this.wakeReader = resolve;
        this.wakeFetcher();
      });
      clearTimeout(this.silence);
    }
  }

  end(): void {
    this.isOver = true;
    clearTimeout(this.silence);
    this.wakeFetcher();
  }

  private get range(): OffsetRange | undefined {
    return this.ranges[this.at];
  }

  private turnTo(): void {
    const { range } = this;
    if (!range) return;
    const everything = [...new Set(this.ranges.map(({ topic }) => topic))];
    this.consumer.pause(everything.map((topic) => ({ topic })));
    this.consumer.resume([{ topic: range.topic, partitions: [range.partition] }]);
    this.consumer.seek({ topic: range.topic, partition: range.partition, offset: String(this.position) });
  }

  private async onBatch({ batch, resolveOffset, heartbeat, isStale }: EachBatchPayload): Promise<void> {
    const { range } = this;
    if (!range || isStale() || batch.topic !== range.topic || batch.partition !== range.partition) return;
    const end = Number(batch.lastOffset()) + 1;
    const records = batch.messages.filter(({ offset }) => isWithin(Number(offset), this.position, range.to));
    this.position = Math.max(this.position, end);
    resolveOffset(batch.lastOffset());
    if (this.position >= range.to) this.advance();
    await this.handOver(
      records.map((message) => incoming(batch.topic, batch.partition, message)),
      heartbeat,
    );
    await heartbeat();
  }

  private advance(): void {
    this.at += 1;
    const { range } = this;
    if (!range) return;
    this.position = range.from;
    this.turnTo();
  }

  /** Returns when the reader asks for more. */
  private async handOver(records: IncomingRecord[], heartbeat: () => Promise<void>): Promise<void> {
    this.fetched = records;
    this.taken = 0;
    if (!this.range) this.isOver = true;
    // One that fails is found again by the heartbeat that ends the batch: the rejoin goes on where we are.
    const beat = setInterval(() => void heartbeat().catch(() => undefined), heartbeatEveryMs);
    await new Promise<void>((resolve) => {
      this.wakeFetcher = resolve;
      this.wakeReader();
      if (records.length === 0) resolve();
    });
    clearInterval(beat);
  }

  private listen(): void {
    clearTimeout(this.silence);
    const { range } = this;
    const text = `${range?.topic} could not be read to its end: the broker was silent for ${this.silenceMs} ms`;
    this.silence = setTimeout(() => this.fail(new Error(text)), this.silenceMs);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.wakeReader();
  }
}

const isWithin = (offset: number, from: number, to: number): boolean => offset >= from && offset < to;

function incoming(
  topic: string,
  partition: number,
  message: EachBatchPayload['batch']['messages'][number],
): IncomingRecord {
  const rawHeaders = message.headers ?? {};
  const headers = Object.entries(rawHeaders).map(([name, value]) => [name.toLowerCase(), headerValueText(value) ?? '']);
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    timestampMs: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers: Object.fromEntries(headers),
    rawHeaders,
  };
}
