import { randomUUID } from 'node:crypto';
import type { Consumer, EachBatchPayload } from 'kafkajs';
import type { KafkaClient } from '../connection/client.js';
import { headerValueText, type IncomingRecord } from '../records.js';
import { TopicAdmin } from './topic-admin.js';

export interface TopicScanOptions {
  readonly client: KafkaClient;
  readonly topic: string;
  /** Offsets to read, from (included) to (not included), by partition. Absent: everything that is there now. */
  readonly ranges?: ReadonlyMap<number, { readonly from: number; readonly to: number }>;
  /** Called in the order of each partition. */
  readonly onRecord: (record: IncomingRecord) => void;
  /** Longest silence of the broker before the scan gives up. Default 15 s. */
  readonly silenceMs?: number;
}

const defaultSilenceMs = 15_000;

/** Reads what a topic holds at the moment and returns. Commits nothing: the group is thrown away. */
export async function scanTopic(options: TopicScanOptions): Promise<void> {
  const ranges = options.ranges ?? (await everything(options.client, options.topic));
  const open = new Map([...ranges].filter(([, { from, to }]) => to > from));
  if (open.size === 0) return;
  const consumer = options.client.newConsumer({
    groupId: `${options.topic}.scan.${randomUUID()}`,
    maxWaitTimeInMs: 100,
  });
  await consumer.connect();
  try {
    await new Scan(consumer, options, open).run();
  } finally {
    await consumer.disconnect();
  }
}

async function everything(client: KafkaClient, topic: string) {
  const admin = new TopicAdmin(client);
  try {
    const ranges = (await admin.offsets(topic)) ?? [];
    return new Map(ranges.map(({ partition, low, high }) => [partition, { from: low, to: high }]));
  } finally {
    await admin.close();
  }
}

class Scan {
  private readonly done = Promise.withResolvers<void>();
  private silence: NodeJS.Timeout | undefined;

  constructor(
    private readonly consumer: Consumer,
    private readonly options: TopicScanOptions,
    private readonly open: Map<number, { readonly from: number; readonly to: number }>,
  ) {}

  async run(): Promise<void> {
    const { topic } = this.options;
    this.listen();
    this.consumer.on('consumer.crash', ({ payload }) => this.done.reject(payload.error));
    await this.consumer.subscribe({ topics: [topic], fromBeginning: true });
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (batch) => this.onBatch(batch),
    });
    for (const [partition, { from }] of this.open) this.consumer.seek({ topic, partition, offset: String(from) });
    try {
      await this.done.promise;
    } finally {
      clearTimeout(this.silence);
    }
  }

  private async onBatch({ batch, resolveOffset, heartbeat }: EachBatchPayload): Promise<void> {
    this.listen();
    const range = this.open.get(batch.partition);
    for (const message of range ? batch.messages : []) {
      const offset = Number(message.offset);
      if (!range || offset < range.from || offset >= range.to) continue;
      this.options.onRecord(incoming(batch.topic, batch.partition, message));
    }
    resolveOffset(batch.lastOffset());
    if (range && Number(batch.lastOffset()) + 1 >= range.to) this.open.delete(batch.partition);
    if (this.open.size === 0) this.done.resolve();
    await heartbeat();
  }

  private listen(): void {
    clearTimeout(this.silence);
    const ms = this.options.silenceMs ?? defaultSilenceMs;
    const error = new Error(`${this.options.topic} could not be read to its end: the broker was silent for ${ms} ms`);
    this.silence = setTimeout(() => this.done.reject(error), ms);
  }
}

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
