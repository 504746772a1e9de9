import { InfrastructureUnavailable } from '@tributary/domain';
import { eventually, testStack, uniqueName } from '@tributary/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createKafka, type KafkaClient } from '../connection/client.js';
import { RecordProducer } from '../producer/record-producer.js';
import type { IncomingRecord } from '../records.js';
import { aFailure, aRuntime, aTopic, type RuntimeUnderTest } from '../testing/consumer-fixtures.js';
import { readAll, silentLogger } from '../testing/kafka-fixtures.js';
import { decodeCompletionMap } from './completion-map.js';
import type { ConsumerRuntime } from './consumer-runtime.js';

const text = (record: IncomingRecord) => record.value?.toString() ?? '';
const tick = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe('ConsumerRuntime on Kafka', () => {
  const { brokers } = testStack().kafka;
  let client: KafkaClient;
  let producer: RecordProducer;
  const running: ConsumerRuntime[] = [];

  beforeAll(() => {
    client = createKafka({ brokers, clientId: uniqueName('runtime'), logger: silentLogger });
    producer = new RecordProducer(client, { deadlineMs: 20_000 });
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((runtime) => runtime.stop({ deadlineMs: 2_000 })));
  });
  afterAll(() => producer.close());

  const start = (parts: Omit<RuntimeUnderTest, 'client' | 'producer'>) => {
    const runtime = aRuntime({ client, producer, ...parts });
    running.push(runtime);
    void runtime.start();
    return runtime;
  };
  const send = (topic: string, records: readonly (readonly [key: string, value: string])[]) =>
    producer.sendAll(records.map(([key, value]) => ({ topic, key, value: Buffer.from(value) })));
  const committed = async (group: string, topic: string) => {
    const admin = client.newAdmin();
    await admin.connect();
    const [answer] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
    await admin.disconnect();
    return answer?.partitions ?? [];
  };

  it('handles records of one key one at a time and in order, different keys at the same time', async () => {
    const topic = await aTopic(brokers, 3);
    const records = Array.from({ length: 600 }, (_, i) => [`k${i % 20}`, `${i % 20}:${Math.floor(i / 20)}`] as const);
    await send(topic.main.name, records);
    const seen = new Map<string, string[]>();
    const busy = new Set<string>();
    let overlaps = 0;
    let most = 0;
    const handler = async (record: IncomingRecord) => {
      const key = String(record.key);
      if (busy.has(key)) overlaps += 1;
      busy.add(key);
      most = Math.max(most, busy.size);
      await tick(Math.random() * 4);
      busy.delete(key);
      seen.set(key, [...(seen.get(key) ?? []), text(record)]);
      return { to: 'commit' } as const;
    };
    start({ topic, group: uniqueName('order'), handler });
    await eventually(() => [...seen.values()].flat().length === records.length, { timeoutMs: 30_000 });
    expect(overlaps).toBe(0);
    expect(most).toBeGreaterThan(5);
    for (const [key, values] of seen) expect(values).toEqual(records.filter(([k]) => k === key).map(([, v]) => v));
  });

  it('does not repeat what was finished above the committed offset after a restart', async () => {
    const topic = await aTopic(brokers, 1);
    const group = uniqueName('restart');
    await send(topic.main.name, [
      ['slow', 'blocker'],
      ...Array.from({ length: 50 }, (_, i) => [`k${i}`, `v${i}`] as const),
    ]);
    let finished = 0;
    const first = start({
      topic,
      group,
      handler: async (record) => {
        if (text(record) === 'blocker') return { to: 'retry', delayMs: 60_000, failure: aFailure };
        finished += 1;
        return { to: 'commit' };
      },
    });
    await eventually(() => finished === 50, { timeoutMs: 20_000 });
    await first.stop({ deadlineMs: 1_000 });
    const [at] = await committed(group, topic.main.name);
    expect(at?.offset).toBe('0');
    expect(decodeCompletionMap(0, at?.metadata ?? '')).toEqual({ finished: [{ from: 1, to: 51 }], drained: true });

    const again: string[] = [];
    start({
      topic,
      group,
      handler: async (record) => {
        again.push(text(record));
        return { to: 'commit' };
      },
    });
    await send(topic.main.name, [['new', 'after']]);
    await eventually(() => again.includes('after'), { timeoutMs: 20_000 });
    expect(again).toEqual(['blocker', 'after']);
    await eventually(async () => (await committed(group, topic.main.name))[0]?.offset === '52');
  });

  it('moves a poison record to the dead-letter topic byte for byte while others flow', async () => {
    const topic = await aTopic(brokers, 2);
    const group = uniqueName('poison');
    const value = Buffer.from([0, 255, 1, 254, 0]);
    const headers = { 'X-Error-Class': 'old', 'X-Mine': Buffer.from([7, 0]), many: ['a', 'b'] };
    await producer.send({ topic: topic.main.name, key: 'bad', value, headers, partition: 1, timestampMs: 1_000 });
    await producer.send({ topic: topic.main.name, key: 'good', value: Buffer.from('fine'), partition: 0 });
    const good: string[] = [];
    const told: string[] = [];
    start({
      topic,
      group,
      options: { onDeadLetter: async (record, failure) => void told.push(`${record.offset} ${failure.code}`) },
      handler: async (record) => {
        if (String(record.key) !== 'bad') {
          good.push(text(record));
          return { to: 'commit' };
        }
        return {
          to: 'deadLetter',
          failure: { errorClass: 'rejected', code: '422', reason: 'ä'.repeat(2000), stage: 'send' },
        };
      },
    });
    await eventually(() => told.length === 1 && good.length === 1, { timeoutMs: 20_000 });
    const dead = (await readAll(client, topic.dead.name)).get('1:0');
    expect(dead?.key).toEqual(Buffer.from('bad'));
    expect(dead?.value).toEqual(value);
    expect(dead?.headers?.['X-Mine']).toEqual(Buffer.from([7, 0]));
    expect(dead?.headers?.many).toEqual([Buffer.from('a'), Buffer.from('b')]);
    const header = (name: string) => dead?.headers?.[name]?.toString();
    expect(dead?.headers).not.toHaveProperty('X-Error-Class');
    expect(header('x-error-class')).toBe('rejected');
    expect(header('x-error-code')).toBe('422');
    expect(Buffer.byteLength(header('x-error-message') ?? '')).toBe(1024);
    expect(header('x-error-fingerprint')).toMatch(/^[0-9a-f]{16}$/);
    expect([
      header('x-origin-topic'),
      header('x-origin-partition'),
      header('x-origin-offset'),
      header('x-origin-group'),
    ]).toEqual([topic.main.name, '1', '0', group]);
    expect(header('x-origin-timestamp')).toBe('1000');
    expect(header('x-retry-attempt')).toBe('1');
    await eventually(
      async () => (await committed(group, topic.main.name)).find((p) => p.partition === 1)?.offset === '1',
    );
  });

  it('never retries a mistake of ours, keeps running, and says where it was', async () => {
    const topic = await aTopic(brokers, 1);
    await send(topic.main.name, [
      ['a', 'boom'],
      ['a', 'next'],
    ]);
    const attempts: string[] = [];
    start({
      topic,
      group: uniqueName('mistake'),
      handler: async (record) => {
        attempts.push(text(record));
        if (text(record) === 'boom') throw new TypeError('undefined is not a function');
        return { to: 'commit' };
      },
    });
    await eventually(() => attempts.includes('next'), { timeoutMs: 20_000 });
    expect(attempts).toEqual(['boom', 'next']);
    const dead = (await readAll(client, topic.dead.name)).get('0:0');
    expect(dead?.headers?.['x-error-class']?.toString()).toBe('invalid');
    expect(dead?.headers?.['x-error-code']?.toString()).toBe('TypeError');
    expect(dead?.headers?.['x-error-stage']?.toString()).toBe('handler');
  });

  it('puts a record back without charging an attempt while our own infrastructure is away', async () => {
    const topic = await aTopic(brokers, 1);
    await send(topic.main.name, [['a', '1']]);
    const numbers: number[] = [];
    start({
      topic,
      group: uniqueName('put-back'),
      handler: async (_, { number }) => {
        numbers.push(number);
        if (numbers.length < 3) throw new InfrastructureUnavailable('the database', new Error('ECONNREFUSED'));
        return { to: 'commit' };
      },
    });
    await eventually(() => numbers.length === 3, { timeoutMs: 20_000 });
    expect(numbers).toEqual([1, 1, 1]);
  });

  it('lets nothing of a closed scope through before its time, and charges no attempt; other scopes flow', async () => {
    const topic = await aTopic(brokers, 1);
    const connection = (id: string, key: string, value: string) =>
      producer.send({ topic: topic.main.name, key, value: Buffer.from(value), headers: { 'x-connection-id': id } });
    await connection('busy', 'k1', 'first');
    let closedAt = 0;
    const calls: { value: string; at: number; number: number }[] = [];
    start({
      topic,
      group: uniqueName('gate'),
      handler: async (record, { number }) => {
        calls.push({ value: text(record), at: Date.now(), number });
        if (text(record) === 'first' && closedAt === 0) {
          closedAt = Date.now();
          return { to: 'gate', closedForMs: 1_500, failure: aFailure };
        }
        return { to: 'commit' };
      },
    });
    await eventually(() => closedAt > 0, { timeoutMs: 20_000 });
    await connection('busy', 'k2', 'second');
    await connection('calm', 'k3', 'other');
    await eventually(() => calls.length === 4, { timeoutMs: 20_000 });
    expect(calls[1]?.value).toBe('other');
    const waited = calls.filter(({ value }, i) => i > 0 && value !== 'other');
    expect(waited.map(({ value, number }) => [value, number]).sort()).toEqual([
      ['first', 1],
      ['second', 1],
    ]);
    for (const { at } of waited) expect(at - closedAt).toBeGreaterThanOrEqual(1_500);
  });

  it('keeps a suspended scope still until it is resumed', async () => {
    const topic = await aTopic(brokers, 1);
    const headers = { 'x-connection-id': 'broken' };
    await producer.send({ topic: topic.main.name, key: 'k', value: Buffer.from('one'), headers });
    let isRepaired = false;
    const numbers: number[] = [];
    const runtime = start({
      topic,
      group: uniqueName('suspend'),
      handler: async (_, { number }) => {
        numbers.push(number);
        return isRepaired ? { to: 'commit' } : { to: 'suspend', failure: aFailure };
      },
    });
    await eventually(() => runtime.snapshot().gates.length === 1, { timeoutMs: 20_000 });
    expect(runtime.snapshot().gates[0]).toMatchObject({ scope: 'broken', closedUntilMs: undefined, waitingLanes: 1 });
    await producer.send({ topic: topic.main.name, key: 'other', value: Buffer.from('two'), headers });
    await eventually(() => runtime.snapshot().gates[0]?.waitingLanes === 2);
    expect(numbers).toEqual([1]);
    isRepaired = true;
    expect(runtime.resumeScope('broken')).toBe(true);
    await eventually(() => numbers.length === 3);
    expect(numbers).toEqual([1, 1, 1]);
  });

  it('finishes what is in flight when it stops, and commits it', async () => {
    const topic = await aTopic(brokers, 1);
    const group = uniqueName('drain');
    await send(
      topic.main.name,
      Array.from({ length: 10 }, (_, i) => [`k${i}`, `v${i}`] as const),
    );
    let begun = 0;
    let ended = 0;
    const runtime = start({
      topic,
      group,
      handler: async () => {
        begun += 1;
        await tick(400);
        ended += 1;
        return { to: 'commit' };
      },
    });
    await eventually(() => begun === 10, { timeoutMs: 20_000, intervalMs: 5 });
    await runtime.stop({ deadlineMs: 5_000 });
    expect(ended).toBe(10);
    expect((await committed(group, topic.main.name))[0]?.offset).toBe('10');
  });

  it('stops a partition whose completion map cannot be read, and says so', async () => {
    const topic = await aTopic(brokers, 1);
    const group = uniqueName('unreadable');
    await send(topic.main.name, [
      ['a', '1'],
      ['b', '2'],
    ]);
    const admin = client.newAdmin();
    await admin.connect();
    await admin.setOffsets({ groupId: group, topic: topic.main.name, partitions: [{ partition: 0, offset: '1' }] });
    await admin.disconnect();
    const seen: string[] = [];
    const runtime = start({
      topic,
      group,
      handler: async (record) => {
        seen.push(text(record));
        return { to: 'commit' };
      },
    });
    await eventually(() => runtime.snapshot().pauses.some(({ reason }) => reason === 'unreadable-map'), {
      timeoutMs: 20_000,
    });
    await send(topic.main.name, [['c', '3']]);
    expect(seen).toEqual([]);
    expect((await committed(group, topic.main.name))[0]?.offset).toBe('1');
  });

  it('hands partitions over to a second member and back: nothing lost, nothing out of order, nothing twice', async () => {
    const topic = await aTopic(brokers, 4);
    const group = uniqueName('rebalance');
    const count = 1_200;
    const attempts = new Map<string, number[]>();
    let total = 0;
    const handler = async (record: IncomingRecord) => {
      await tick(5);
      const key = String(record.key);
      attempts.set(key, [...(attempts.get(key) ?? []), Number(text(record))]);
      total += 1;
      return { to: 'commit' } as const;
    };
    start({ topic, group, handler, options: { concurrency: 8 } });
    await send(
      topic.main.name,
      Array.from({ length: count }, (_, i) => [`k${i % 40}`, String(Math.floor(i / 40))] as const),
    );
    await eventually(() => total > 100, { timeoutMs: 30_000, intervalMs: 5 });
    const second = start({ topic, group, handler, options: { concurrency: 8 } });
    await eventually(() => second.snapshot().partitions.length === 2, { timeoutMs: 30_000, intervalMs: 5 });
    await eventually(() => total > 800, { timeoutMs: 30_000, intervalMs: 5 });
    await second.stop({ deadlineMs: 5_000 });
    await eventually(() => total >= count, { timeoutMs: 30_000 });
    const expected = Array.from({ length: count / 40 }, (_, i) => i);
    for (const values of attempts.values()) expect(values).toEqual(expected);
    expect(attempts.size).toBe(40);
  });
});
