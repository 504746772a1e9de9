import { createTopic, eventually, uniqueName } from '@tributary/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CompactedTopicReader } from './admin/compacted-topic-reader.js';
import { createKafka, type KafkaClient } from './connection/client.js';
import { RecordProducer } from './producer/record-producer.js';
import { aRuntime, aTopic } from './testing/consumer-fixtures.js';
import { readAll, silentLogger } from './testing/kafka-fixtures.js';
import { StoppableKafka } from './testing/stoppable-kafka.js';

/** One broker that goes away and comes back: nothing must hang, be lost, come twice or need a restart. */
describe('while Kafka is away', () => {
  let kafka: StoppableKafka;
  let client: KafkaClient;

  beforeAll(async () => {
    kafka = await StoppableKafka.create();
    client = createKafka({ brokers: kafka.brokers, clientId: 'outage', logger: silentLogger });
  });
  afterAll(() => kafka.remove());

  it('a producer that never saw Kafka answers in time, and works once it is there', async () => {
    const producer = new RecordProducer(client, { deadlineMs: 700 });
    void producer.connect();
    const topic = uniqueName('late');
    const send = (value: string) => producer.send({ topic, key: 'k', value: Buffer.from(value) });
    await expect(send('lost')).rejects.toMatchObject({ code: 'PRODUCE_DEADLINE_EXCEEDED', sent: false });
    expect(producer.queued).toBe(0);
    await kafka.start();
    await createTopic(kafka.brokers, topic, 1);
    const position = await eventually(() => send('kept'), { timeoutMs: 15_000 });
    expect(position.offset).toBe(0n);
    const stored = [...(await readAll(client, topic)).values()].map(({ value }) => value?.toString());
    expect(stored).toEqual(['kept']);
    await producer.close();
  });

  it('a producer goes on by itself: acknowledged records are there once and in order, withdrawn ones are not', async () => {
    const topic = uniqueName('outage');
    await createTopic(kafka.brokers, topic, 1);
    const producer = new RecordProducer(client, { deadlineMs: 700 });
    const acknowledged: string[] = [];
    const withdrawn: string[] = [];
    const unknown: string[] = [];
    let isStopped = false;
    const write = async () => {
      for (let i = 0; !isStopped; i++) {
        const value = String(i);
        await producer.send({ topic, key: 'k', value: Buffer.from(value) }).then(
          () => acknowledged.push(value),
          (error: { sent?: boolean }) => (error.sent === false ? withdrawn : unknown).push(value),
        );
      }
    };
    const writers = write();
    await eventually(() => acknowledged.length > 20);
    await kafka.stop();
    await eventually(() => withdrawn.length + unknown.length >= 2, { timeoutMs: 10_000 });
    const before = acknowledged.length;
    await kafka.start();
    await eventually(() => acknowledged.length > before + 20, { timeoutMs: 10_000 });
    isStopped = true;
    await writers;
    await producer.close();
    const stored = [...(await readAll(client, topic)).values()].map(({ value }) => String(value));
    expect(new Set(stored).size).toBe(stored.length);
    expect([...stored].sort((a, b) => Number(a) - Number(b))).toEqual(stored);
    for (const value of acknowledged) expect(stored).toContain(value);
    for (const value of withdrawn) expect(stored).not.toContain(value);
  });

  it('a producer answers in time while the broker hangs, and goes on when it wakes', async () => {
    const topic = uniqueName('frozen');
    await createTopic(kafka.brokers, topic, 1);
    const producer = new RecordProducer(client, { deadlineMs: 700 });
    const send = (value: string) => producer.send({ topic, key: 'k', value: Buffer.from(value) });
    await send('before');
    await kafka.freeze();
    const answers = await Promise.allSettled([
      send('in-flight'),
      eventually(() => producer.queued === 0).then(() => send('queued')),
    ]);
    kafka.resume();
    expect(answers).toMatchObject([
      { reason: { code: 'PRODUCE_DEADLINE_EXCEEDED', sent: true } },
      { reason: { code: 'PRODUCE_DEADLINE_EXCEEDED', sent: false } },
    ]);
    await eventually(() => send('after'), { timeoutMs: 20_000 });
    await producer.close();
    const stored = await eventually(() => readAll(client, topic), { timeoutMs: 20_000 });
    expect([...stored.values()].map(({ value }) => String(value))).toEqual(['before', 'in-flight', 'after']);
  });

  it('a consumer and a reader of a compacted topic go on by themselves', async () => {
    const topic = await aTopic(kafka.brokers, 2);
    const table = uniqueName('table');
    await createTopic(kafka.brokers, table, 1, { 'cleanup.policy': 'compact' });
    const producer = new RecordProducer(client, { deadlineMs: 20_000 });
    const handled: string[] = [];
    const handler = async (record: { value: Buffer | null }) => {
      handled.push(String(record.value));
      return { to: 'commit' } as const;
    };
    const fatal: Error[] = [];
    const onFatal = (error: Error) => void fatal.push(error);
    const runtime = aRuntime({ client, producer, topic, group: uniqueName('outage'), handler, onFatal });
    const told: string[] = [];
    const onRecord = (key: string, value: Buffer | null) => void told.push(`${key}=${value}`);
    const reader = new CompactedTopicReader({ client, topic: table, onRecord, onFatal, logger: silentLogger });
    void runtime.start();
    void reader.start();
    const send = (value: string) =>
      producer.sendAll([
        { topic: topic.main.name, key: value, value: Buffer.from(value) },
        { topic: table, key: value, value: Buffer.from(value) },
      ]);
    await send('before');
    await eventually(() => handled.includes('before') && told.includes('before=before'), { timeoutMs: 20_000 });
    // The first record must be committed, or it would rightly come again.
    await eventually(() => runtime.snapshot().partitions.every(({ inFlight }) => inFlight === 0));
    await kafka.stop();
    const sent = send('after');
    await kafka.start();
    await sent;
    await eventually(() => handled.includes('after') && told.includes('after=after'), { timeoutMs: 60_000 });
    expect(fatal).toEqual([]);
    expect(runtime.state).toBe('ready');
    expect(told).toEqual(['before=before', 'after=after']);
    await Promise.all([runtime.stop({ deadlineMs: 1_000 }), reader.stop(), producer.close()]);
  });

  it('a consumer with ordered retries goes on at once, time after time, because it need not wait for itself', async () => {
    const topic = await aTopic(kafka.brokers, 2);
    await createTopic(kafka.brokers, topic.retry.name, 2);
    const producer = new RecordProducer(client, { deadlineMs: 60_000 });
    const handled: string[] = [];
    const runtime = aRuntime({
      client,
      producer,
      topic,
      group: uniqueName('outage'),
      handler: async ({ value }) => {
        handled.push(String(value));
        return { to: 'commit' };
      },
      // Whoever waits for a former owner waits longer than this test may take.
      options: { retries: { topic: topic.retry, takeover: { attemptMs: 600_000, appendMs: 0, marginMs: 0 } } },
    });
    void runtime.start();
    for (const value of ['first', 'second', 'third']) {
      await producer.send({ topic: topic.main.name, key: value, value: Buffer.from(value) });
      await eventually(() => handled.includes(value), { timeoutMs: 40_000 });
      await eventually(() => runtime.snapshot().running === 0);
      await kafka.stop();
      await kafka.start();
    }
    expect(handled).toEqual(['first', 'second', 'third']);
    await Promise.all([runtime.stop({ deadlineMs: 1_000 }), producer.close()]);
  });
});
