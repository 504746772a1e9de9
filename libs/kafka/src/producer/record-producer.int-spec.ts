import { createTopic, testStack, uniqueName } from '@tributary/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKafka, type KafkaClient } from '../connection/client.js';
import { partitionOf } from '../murmur2.js';
import { readAll, silentLogger } from '../testing/kafka-fixtures.js';
import { RecordProducer } from './record-producer.js';

describe('RecordProducer', () => {
  const { brokers } = testStack().kafka;
  let client: KafkaClient;
  let producer: RecordProducer;

  beforeAll(() => {
    client = createKafka({ brokers, clientId: uniqueName('producer'), logger: silentLogger });
    producer = new RecordProducer(client, { deadlineMs: 20_000 });
  });
  afterAll(() => producer.close());

  it('answers each record with its own position, in the order of the calls', async () => {
    const topic = uniqueName('positions');
    await createTopic(brokers, topic, 3);
    const keys = Array.from({ length: 2_000 }, (_, i) => `key-${i % 17}`);
    const positions = await producer.sendAll(keys.map((key, i) => ({ topic, key, value: Buffer.from(String(i)) })));
    const stored = await readAll(client, topic);
    expect(stored.size).toBe(keys.length);
    keys.forEach((key, i) => {
      const at = positions[i];
      expect(at?.partition).toBe(partitionOf(key, 3));
      expect(stored.get(`${at?.partition}:${at?.offset}`)?.value?.toString()).toBe(String(i));
    });
  });

  it('keeps the calls of one key in order', async () => {
    const topic = uniqueName('order');
    await createTopic(brokers, topic, 1);
    const values = Array.from({ length: 3_000 }, (_, i) => String(i));
    await Promise.all(values.map((value) => producer.send({ topic, key: 'k', value: Buffer.from(value) })));
    const stored = await readAll(client, topic);
    expect([...stored.values()].map(({ value }) => value?.toString())).toEqual(values);
  });

  it('writes to the partition it is told, with null key, null value and repeated headers as they are', async () => {
    const topic = uniqueName('explicit');
    await createTopic(brokers, topic, 4);
    const headers = { one: 'a', many: ['b', Buffer.from([0, 255])] };
    const position = await producer.send({ topic, partition: 3, key: null, value: null, headers, timestampMs: 1234 });
    expect(position).toEqual({ topic, partition: 3, offset: 0n });
    const stored = (await readAll(client, topic)).get('3:0');
    expect(stored).toMatchObject({ key: null, value: null, timestamp: '1234' });
    expect(stored?.headers).toEqual({ one: Buffer.from('a'), many: [Buffer.from('b'), Buffer.from([0, 255])] });
  });

  it('refuses a record for a missing topic without holding up the others', async () => {
    const topic = uniqueName('exists');
    const missing = uniqueName('missing');
    await createTopic(brokers, topic, 1);
    const [refused, sent] = await Promise.allSettled([
      producer.send({ topic: missing, key: 'k', value: Buffer.from('x') }),
      producer.send({ topic, key: 'k', value: Buffer.from('x') }),
    ]);
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'UNKNOWN_TOPIC', topic: missing } });
    expect(sent).toMatchObject({ status: 'fulfilled', value: { offset: 0n } });
  });

  it('refuses a record that the broker finds too large, and only that one', async () => {
    const topic = uniqueName('large');
    await createTopic(brokers, topic, 1, { 'max.message.bytes': '20000' });
    const values = ['a', 'b'.repeat(50_000), 'c'];
    const answers = await Promise.allSettled(
      values.map((value) => producer.send({ topic, key: 'k', value: Buffer.from(value) })),
    );
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(answers[1]).toMatchObject({ reason: { code: 'RECORD_REFUSED', retryable: false } });
    expect((await readAll(client, topic)).size).toBe(2);
  });

  it('sends what it holds before it closes, and nothing afterwards', async () => {
    const topic = uniqueName('close');
    await createTopic(brokers, topic, 1);
    const closing = new RecordProducer(client, { deadlineMs: 20_000 });
    const sent = closing.sendAll(Array.from({ length: 100 }, () => ({ topic, key: 'k', value: Buffer.from('v') })));
    await closing.close();
    expect(await sent).toHaveLength(100);
    await expect(closing.send({ topic, key: 'k', value: null })).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' });
  });

  it('refuses more than it may hold, at once', async () => {
    const topic = uniqueName('full');
    await createTopic(brokers, topic, 1);
    const small = new RecordProducer(client, { deadlineMs: 20_000, maxQueuedRecords: 2 });
    const answers = await Promise.allSettled(
      [1, 2, 3].map(() => small.send({ topic, key: 'k', value: Buffer.from('v') })),
    );
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect(answers[2]).toMatchObject({ reason: { code: 'PRODUCER_QUEUE_FULL', retryable: true } });
    await small.close();
  });
});
