/**
 * Clients that send heartbeats between records, or wait for a record inside the poll loop, are thrown out of the group by a slow handler
 * or a long wait, get the same record again, and rebalance for ever. And kafkajs polls its queues every millisecond. Here nothing
 * that a handler does stands between the group and us.
 */
import { createTopic, eventually, testStack, uniqueName } from '@tributary/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKafka, type KafkaClient } from '../../libs/kafka/src/connection/client.js';
import type { ConsumerRuntime } from '../../libs/kafka/src/consumer/consumer-runtime.js';
import { sessionTimeoutMs } from '../../libs/kafka/src/consumer/kafkajs-driver.js';
import { RecordProducer } from '../../libs/kafka/src/producer/record-producer.js';
import { aRuntime, aTopic } from '../../libs/kafka/src/testing/consumer-fixtures.js';
import { silentLogger } from '../../libs/kafka/src/testing/kafka-fixtures.js';
import { delivered, type Handler, outage } from './testing/scene.js';

describe('the membership of the group', () => {
  const { brokers } = testStack().kafka;
  let client: KafkaClient;
  let producer: RecordProducer;
  beforeAll(() => {
    client = createKafka({ brokers, clientId: uniqueName('membership'), logger: silentLogger });
    producer = new RecordProducer(client, { deadlineMs: 20_000 });
  });
  afterAll(() => producer.close());

  async function consumer(handler: Handler, partitions = 1) {
    const topic = await aTopic(brokers, partitions);
    await createTopic(brokers, topic.retry.name, partitions);
    let joins = 0;
    const runtime = aRuntime({
      client,
      producer,
      topic,
      group: uniqueName('membership'),
      handler,
      options: { retries: { topic: topic.retry, takeover: { attemptMs: 500, appendMs: 500, marginMs: 500 } } },
      observer: {
        assigned: () => {
          joins += 1;
        },
      },
    });
    void runtime.start();
    await eventually(() => runtime.state === 'ready', { timeoutMs: 30_000 });
    const send = (key: string, value: string) =>
      producer.send({ topic: topic.main.name, key, value: Buffer.from(value) });
    return { runtime, send, joins: () => joins };
  }

  const end = (runtime: ConsumerRuntime) => runtime.stop({ deadlineMs: 2_000 });

  it('kafkajs-1396-heartbeat-starves: a handler slower than the session stays a member and gets its record once', async () => {
    const seen: string[] = [];
    let isOver = false;
    const { runtime, send, joins } = await consumer(async (record) => {
      seen.push(String(record.value));
      await new Promise((resolve) => setTimeout(resolve, sessionTimeoutMs + 3_000));
      isOver = true;
      return delivered;
    });
    await send('a', 'slow');
    await eventually(() => isOver, { timeoutMs: 40_000 });
    await eventually(() => runtime.snapshot().partitions.some(({ watermark }) => watermark === 1));
    expect(seen).toEqual(['slow']);
    expect(joins()).toBe(1);
    await end(runtime);
  });

  it('spring-kafka-3712-backoff-beyond-poll-interval: a wait longer than the session costs no membership', async () => {
    const seen: number[] = [];
    const { runtime, send, joins } = await consumer(async (_, { number }) => {
      seen.push(number);
      return number === 1 ? { to: 'retry', delayMs: sessionTimeoutMs + 2_000, failure: outage } : delivered;
    });
    await send('a', 'waits');
    await eventually(() => seen.length === 2, { timeoutMs: 40_000 });
    expect(seen).toEqual([1, 2]);
    expect(joins()).toBe(1);
    await end(runtime);
  });

  it('parallel-consumer-637-endless-rebalance: the generation is stable under load', async () => {
    let handled = 0;
    const { runtime, send, joins } = await consumer(async (_, { number }) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      handled += number === 2 ? 0 : 1;
      return number === 1 && handled % 150 === 0 ? { to: 'retry', delayMs: 12_000, failure: outage } : delivered;
    }, 4);
    const total = 3_000;
    const all = Array.from({ length: total }, (_, i) => send(`k${i % 200}`, String(i)));
    await Promise.all(all);
    await eventually(() => handled >= total, { timeoutMs: 60_000 });
    await eventually(() => runtime.snapshot().parked.every(({ records }) => records === 0), { timeoutMs: 60_000 });
    expect(joins()).toBe(1);
    await end(runtime);
  });

  it('kafkajs-1751-idle-cpu: an idle consumer with its connections leaves the processor alone', async () => {
    const { runtime, send } = await consumer(async () => delivered, 4);
    await send('a', 'warm');
    await eventually(() => runtime.snapshot().partitions.some(({ watermark }) => watermark === 1));
    // The share of a core, so the length of the wait does not matter; the first seconds still hold garbage collection.
    const shares: number[] = [];
    await eventually(
      async () => {
        const [cpu, startedAt] = [process.cpuUsage(), performance.now()];
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        const { user, system } = process.cpuUsage(cpu);
        shares.push((user + system) / 1_000 / (performance.now() - startedAt));
        return Math.min(...shares) < 0.01;
      },
      { timeoutMs: 20_000, what: 'the processor to be left alone' },
    );
    await end(runtime);
  });
});
