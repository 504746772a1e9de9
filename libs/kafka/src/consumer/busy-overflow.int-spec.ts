import { createTopic, eventually, testStack, uniqueName } from '@tributary/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createKafka, type KafkaClient } from '../connection/client.js';
import { sleep, systemClock } from '../connection/clock.js';
import { RecordProducer } from '../producer/record-producer.js';
import { aRuntime, aTopic } from '../testing/consumer-fixtures.js';
import { silentLogger } from '../testing/kafka-fixtures.js';
import { places } from '../testing/places.js';
import type { ConsumerRuntime } from './consumer-runtime.js';

const fastRecords = 1_000;
const everyMs = 15;

describe('an account whose places are all taken, on Kafka', () => {
  const { brokers } = testStack().kafka;
  let client: KafkaClient;
  let producer: RecordProducer;
  const running: ConsumerRuntime[] = [];

  beforeAll(() => {
    client = createKafka({ brokers, clientId: uniqueName('busy'), logger: silentLogger });
    producer = new RecordProducer(client, { deadlineMs: 20_000 });
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((runtime) => runtime.stop({ deadlineMs: 3_000 })));
  });
  afterAll(() => producer.close());

  /** Waits of records that come one after the other, in one partition with so many of an account that takes 2 s for each. */
  async function waitsBeside(slowRecords: number): Promise<{ waits: number[]; slow: string[]; parked: number }> {
    const topic = await aTopic(brokers, 1);
    await createTopic(brokers, topic.retry.name, 1);
    const sent = new Map<string, number>();
    const waits: number[] = [];
    const slow: string[] = [];
    const send = (account: string, key: string, value: string) => {
      sent.set(value, performance.now());
      const headers = { 'x-connection-id': account };
      return producer.send({ topic: topic.main.name, partition: 0, key, value: Buffer.from(value), headers });
    };
    await Promise.all(Array.from({ length: slowRecords }, (_, i) => send('slow', `s${i % 300}`, `slow-${i}`)));
    const runtime = aRuntime({
      client,
      producer,
      topic,
      group: uniqueName('busy'),
      handler: async (record) => {
        const value = String(record.value);
        if (record.headers['x-connection-id'] === 'slow') {
          slow.push(value);
          await sleep(systemClock, 2_000);
        } else waits.push(performance.now() - (sent.get(value) ?? 0));
        return { to: 'commit' };
      },
      options: { gatePolicy: places(2), concurrency: 8, maxWindowRecords: 400, retries: { topic: topic.retry } },
    });
    running.push(runtime);
    void runtime.start();
    await eventually(() => runtime.snapshot().state === 'ready', { timeoutMs: 30_000 });
    for (let i = 0; i < fastRecords; i++) {
      void send('fast', `f${i % 10}`, `fast-${i}`);
      await sleep(systemClock, everyMs);
    }
    await eventually(() => waits.length === fastRecords, { timeoutMs: 20_000 });
    const parked = runtime.snapshot().parked.reduce((sum, { records }) => sum + records, 0);
    return { waits: waits.sort((a, b) => a - b), slow, parked };
  }

  it('leaves the others in its partition nearly as fast as they are alone', async () => {
    const alone = await waitsBeside(0);
    const beside = await waitsBeside(1_500);
    const p95 = ({ waits }: typeof alone) => waits[Math.floor(waits.length * 0.95)] ?? Number.POSITIVE_INFINITY;
    const added = p95(beside) - p95(alone);
    // A single attempt of the slow account takes 2,000 ms, and all that waits of it half an hour.
    expect(added, `p95 ${p95(alone)} ms alone, ${p95(beside)} ms beside`).toBeLessThan(500);
    expect(beside.parked).toBeGreaterThan(500);
    expect(beside.slow.length).toBeGreaterThan(5);
    expect(new Set(beside.slow).size).toBe(beside.slow.length);
  });
});
