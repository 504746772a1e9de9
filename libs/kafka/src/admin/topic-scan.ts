import type { KafkaClient } from '../connection/client.js';
import type { IncomingRecord } from '../records.js';
import { TopicAdmin } from './topic-admin.js';
import { type OffsetRange, readRecords } from './topic-reader.js';

export interface TopicScanOptions {
  readonly client: KafkaClient;
  readonly topic: string;
  /** Called in the order of each partition. */
  readonly onRecord: (record: IncomingRecord) => void;
}

/** Reads what a topic holds at the moment and returns. Commits nothing. */
export async function scanTopic({ client, topic, onRecord }: TopicScanOptions): Promise<void> {
  for await (const record of readRecords({ client, ranges: await everything(client, topic) })) onRecord(record);
}

async function everything(client: KafkaClient, topic: string): Promise<OffsetRange[]> {
  const admin = new TopicAdmin(client);
  try {
    const ranges = (await admin.offsets(topic)) ?? [];
    return ranges.map(({ partition, low, high }) => ({ topic, partition, from: low, to: high }));
  } finally {
    await admin.close();
  }
}
