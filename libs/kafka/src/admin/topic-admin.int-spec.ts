import { defineTopic } from '@tributary/contracts';
import { eventually, testStack, uniqueName } from '@tributary/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { createKafka } from '../connection/client.js';
import { RecordProducer } from '../producer/record-producer.js';
import { silentLogger } from '../testing/silent-logger.js';
import { CompactedTopicReader } from './compacted-topic-reader.js';
import { TopicAdmin } from './topic-admin.js';

const { brokers } = testStack().kafka;
const client = createKafka({ brokers, clientId: 'admin', logger: silentLogger });
const producer = new RecordProducer(client);
afterAll(() => producer.close());

const topicNamed = (name: string, more: object = {}) =>
  defineTopic({ name, records: [], key: 'any', owner: 'tests', purpose: 'A test.', retentionMs: 3_600_000, ...more });

describe('TopicAdmin', () => {
  const admin = new TopicAdmin(client);
  afterAll(() => admin.close());

  it('creates what is missing as the catalogue says, and then finds nothing to do', async () => {
    const topics = [
      topicNamed(uniqueName('many'), { maxMessageBytes: 2_000_000 }),
      topicNamed(uniqueName('table'), { partitions: 1, cleanup: 'compact' }),
    ];
    const plan = await admin.plan(topics, { partitions: 3 });
    expect(plan.create.map(({ partitions }) => partitions)).toEqual([3, 1]);
    await admin.apply(plan);
    expect(await admin.plan(topics, { partitions: 3 })).toEqual({ create: [], differences: [] });
    const state = (await admin.describe(topics)).get(topics[0]?.name ?? '');
    expect(state).toMatchObject({
      partitions: 3,
      replication: 1,
      configs: { 'retention.ms': '3600000', 'max.message.bytes': '2000000', 'segment.ms': '86400000' },
    });
  });

  it('reports what differs and leaves it alone', async () => {
    const name = uniqueName('differs');
    await admin.apply(await admin.plan([topicNamed(name)], { partitions: 2 }));
    const plan = await admin.plan([topicNamed(name, { retentionMs: 1_000 })], { partitions: 4 });
    expect(plan).toEqual({
      create: [],
      differences: [
        { topic: name, what: 'partitions', wanted: '4', found: '2' },
        { topic: name, what: 'retention.ms', wanted: '1000', found: '3600000' },
      ],
    });
    await admin.apply(plan);
    expect((await admin.describe([topicNamed(name)])).get(name)?.partitions).toBe(2);
  });

  it('tells the ends of a topic, and that there is none', async () => {
    const topic = topicNamed(uniqueName('ends'));
    await admin.apply(await admin.plan([topic], { partitions: 2 }));
    await producer.send({ topic: topic.name, key: 'k', value: null, partition: 1 });
    expect(await admin.offsets(topic.name)).toEqual([
      { partition: 0, low: 0, high: 0 },
      { partition: 1, low: 0, high: 1 },
    ]);
    expect(await admin.offsets(uniqueName('nowhere'))).toBeUndefined();
    expect(await admin.groupOffsets(uniqueName('nobody'), [topic.name])).toEqual([
      { topic: topic.name, partition: 0, offset: undefined, metadata: '' },
      { topic: topic.name, partition: 1, offset: undefined, metadata: '' },
    ]);
  });
});

describe('CompactedTopicReader', () => {
  const admin = new TopicAdmin(client);
  afterAll(() => admin.close());
  const readerOf = (topic: string, onRecord: (key: string, value: Buffer | null) => void, onFatal = (_: Error) => {}) =>
    new CompactedTopicReader({ client, topic, onRecord, onFatal, logger: silentLogger });

  it('is ready when it has told everything that was there, then follows', async () => {
    const topic = topicNamed(uniqueName('table'), { partitions: 1, cleanup: 'compact' });
    await admin.apply(await admin.plan([topic]));
    const write = (key: string, value: string | null) =>
      producer.send({ topic: topic.name, key, value: value === null ? null : Buffer.from(value) });
    for (let i = 0; i < 50; i++) await write(`k${i % 5}`, String(i));
    await write('k0', null);
    const table = new Map<string, string | null>();
    const reader = readerOf(topic.name, (key, value) => table.set(key, value && String(value)));
    void reader.start();
    await reader.ready;
    expect(Object.fromEntries(table)).toEqual({ k0: null, k1: '46', k2: '47', k3: '48', k4: '49' });
    await write('k9', 'new');
    await eventually(() => table.get('k9') === 'new');
    await reader.stop();
  });

  it('is ready at once with an empty topic, and waits for one that is not there yet', async () => {
    const topic = topicNamed(uniqueName('empty'), { partitions: 1, cleanup: 'compact' });
    const reader = readerOf(topic.name, () => {});
    void reader.start();
    await admin.apply(await admin.plan([topic]));
    await reader.ready;
    expect(reader.isReady).toBe(true);
    await reader.stop();
  });

  it('says so when a record cannot be taken in', async () => {
    const topic = topicNamed(uniqueName('bad'), { partitions: 1, cleanup: 'compact' });
    await admin.apply(await admin.plan([topic]));
    await producer.send({ topic: topic.name, key: 'k', value: Buffer.from('x') });
    const fatal: Error[] = [];
    const broken = () => {
      throw new TypeError('cannot read this');
    };
    const reader = readerOf(topic.name, broken, (error) => void fatal.push(error));
    void reader.start();
    await eventually(() => fatal.length > 0);
    expect(fatal[0]?.message).toBe('cannot read this');
    expect(reader.isReady).toBe(false);
    await reader.stop();
  });
});
