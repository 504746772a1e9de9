import { uniqueName } from '@tributary/testing';
import type { KafkaMessage } from 'kafkajs';
import type { KafkaClient } from '../connection/client.js';

export { silentLogger } from './silent-logger.js';

/** Everything a topic holds now, by `partition:offset`, each partition in order. */
export async function readAll(client: KafkaClient, topic: string): Promise<Map<string, KafkaMessage>> {
  const admin = client.newAdmin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const missing = new Set<string>();
  for (const { partition, low, high } of ends) {
    for (let offset = Number(low); offset < Number(high); offset++) missing.add(`${partition}:${offset}`);
  }
  const found = new Map<string, KafkaMessage>();
  if (missing.size === 0) return found;
  const consumer = client.newConsumer({ groupId: uniqueName('read-all'), maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ partition, message }: { partition: number; message: KafkaMessage }) => {
      const at = `${partition}:${message.offset}`;
      found.set(at, message);
      missing.delete(at);
      if (missing.size === 0) resolve();
    };
    consumer.run({ autoCommit: false, eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  return found;
}
