import { defineTopic } from '@tributary/contracts';
import { eventually, testStack, uniqueName } from '@tributary/testing';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { createKafka } from '../connection/client.js';
import { systemClock } from '../connection/clock.js';
import { encodeCompletionMap } from '../consumer/completion-map.js';
import { ConsumerRuntime } from '../consumer/consumer-runtime.js';
import { KafkaJsDriver } from '../consumer/kafkajs-driver.js';
import { RecordProducer } from '../producer/record-producer.js';
import { silentLogger } from '../testing/silent-logger.js';
import { acceptOffsets, unreadableAmong } from './accepted-offsets.js';
import { TopicAdmin } from './topic-admin.js';

const { brokers } = testStack().kafka;
const client = createKafka({ brokers, clientId: 'accept', logger: silentLogger });
const producer = new RecordProducer(client);
const admin = new TopicAdmin(client);
afterAll(async () => {
  await producer.close();
  await admin.close();
});

async function aTopic() {
  const topic = defineTopic({
    name: uniqueName('accept'),
    records: [],
    key: 'any',
    owner: 'tests',
    purpose: 'A test.',
    retentionMs: 3_600_000,
  });
  await admin.apply(await admin.plan([topic], { partitions: 2 }));
  for (let n = 0; n < 6; n++) {
    await producer.send({ topic: topic.name, partition: n % 2, key: 'k', value: Buffer.from(String(n)) });
  }
  return topic;
}

/** A former version, or a stranger's tool, committed an offset without our map. */
async function commitForeign(group: string, topic: string, offsets: readonly (readonly [number, string | null])[]) {
  const consumer = client.newConsumer({ groupId: group });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic] });
  const joined = new Promise<void>((resolve) => consumer.on('consumer.group_join', () => resolve()));
  await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => undefined });
  await joined;
  await consumer.commitOffsets(
    offsets.map(([offset, metadata], partition) => ({ topic, partition, offset: String(offset), metadata })),
  );
  await consumer.disconnect();
}

function consuming(group: string, topic: Awaited<ReturnType<typeof aTopic>>) {
  const seen: string[] = [];
  const runtime = new ConsumerRuntime({
    driver: new KafkaJsDriver({ client, group, topics: [topic.name], clock: systemClock, logger: silentLogger }),
    producer,
    topics: [topic],
    options: { group, deadLetterTopic: topic },
    handler: async ({ value }) => {
      seen.push(String(value));
      return { to: 'commit' };
    },
    logger: silentLogger,
  });
  onTestFinished(() => runtime.stop({ deadlineMs: 0 }));
  void runtime.start();
  return { runtime, seen };
}

describe('accepting offsets', () => {
  it('lets a partition go on that stood still, at the same offset', async () => {
    const [topic, group] = [await aTopic(), uniqueName('group')];
    await commitForeign(group, topic.name, [
      [1, 'not ours'],
      [2, encodeCompletionMap(2, [])],
    ]);
    const before = consuming(group, topic);
    await eventually(() => expect(before.seen).toEqual(['5']));
    const { pauses } = before.runtime.snapshot();
    expect(pauses.map(({ partition, reason }) => [partition, reason])).toEqual([[0, 'unreadable-map']]);

    const unreadable = unreadableAmong(await admin.groupOffsets(group, [topic.name]));
    expect(unreadable).toMatchObject([{ topic: topic.name, partition: 0, offset: 1, metadata: 'not ours' }]);
    await expect(acceptOffsets(client, admin, group, unreadable)).rejects.toThrow(/has 1 members .*: stop the service/);
    await before.runtime.stop({ deadlineMs: 0 });

    await acceptOffsets(client, admin, group, unreadable);
    const offsets = await admin.groupOffsets(group, [topic.name]);
    expect(unreadableAmong(offsets)).toEqual([]);
    expect(offsets.map(({ offset }) => offset)).toEqual([1, 3]);
    const after = consuming(group, topic);
    await eventually(() => expect(after.seen).toEqual(['2', '4']));
  });

  it('finds nothing wrong with offsets that were never committed, and does nothing for none', async () => {
    const [topic, group] = [await aTopic(), uniqueName('group')];
    const offsets = await admin.groupOffsets(group, [topic.name]);
    expect(unreadableAmong(offsets)).toEqual([]);
    await acceptOffsets(client, admin, group, []);
    expect(await admin.groupOffsets(group, [topic.name])).toEqual(offsets);
  });
});
