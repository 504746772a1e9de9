import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createTopic, eventually, testStack, uniqueName } from '@tributary/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createKafka, type KafkaClient } from '../../connection/client.js';
import { RecordProducer } from '../../producer/record-producer.js';
import type { IncomingRecord } from '../../records.js';
import { aFailure, aRuntime, aTopic, type RuntimeUnderTest } from '../../testing/consumer-fixtures.js';
import { readAll, silentLogger } from '../../testing/kafka-fixtures.js';
import type { ConsumerRuntime } from '../consumer-runtime.js';

interface Seen {
  readonly key: string;
  readonly value: string;
  readonly number: number;
  readonly atMs: number;
}

const text = (record: IncomingRecord) => String(record.value);
const takeover = { attemptMs: 500, appendMs: 500, marginMs: 500 };
const root = join(import.meta.dirname, '../../../../..');

describe('ordered retry on Kafka', () => {
  const { brokers } = testStack().kafka;
  let client: KafkaClient;
  let producer: RecordProducer;
  const running: ConsumerRuntime[] = [];
  const children: ChildProcess[] = [];

  beforeAll(() => {
    client = createKafka({ brokers, clientId: uniqueName('retry'), logger: silentLogger });
    producer = new RecordProducer(client, { deadlineMs: 20_000 });
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await Promise.all(running.splice(0).map((runtime) => runtime.stop({ deadlineMs: 2_000 })));
  });
  afterAll(() => producer.close());

  const aPair = async (partitions: number) => {
    const topic = await aTopic(brokers, partitions);
    await createTopic(brokers, topic.retry.name, partitions);
    return topic;
  };
  const start = (parts: Omit<RuntimeUnderTest, 'client' | 'producer'>) => {
    const options = { retries: { topic: parts.topic.retry, longerThanMs: 1_000, takeover }, ...parts.options };
    const runtime = aRuntime({ client, producer, ...parts, options });
    running.push(runtime);
    void runtime.start();
    return runtime;
  };
  const startChild = (group: string, topic: string, delayMs: number, seen: Seen[]): ChildProcess => {
    const program = fileURLToPath(new URL('../../testing/retry-child.ts', import.meta.url));
    const loader = fileURLToPath(new URL('../../testing/run-from-source.mjs', import.meta.url));
    const args = [
      '--experimental-transform-types',
      '--no-warnings',
      '--import',
      loader,
      program,
      brokers.join(),
      group,
      topic,
      String(delayMs),
    ];
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => seen.push(JSON.parse(line)));
    return child;
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

  it('parks a failed record, lets other keys pass, holds its key, and returns it in order and not too early', async () => {
    const topic = await aPair(1);
    const group = uniqueName('park');
    const seen: { value: string; number: number; atMs: number; topic: string }[] = [];
    let failedAtMs = 0;
    start({
      topic,
      group,
      handler: async (record, { number }) => {
        seen.push({ value: text(record), number, atMs: Date.now(), topic: record.topic });
        if (text(record) !== 'a0' || number > 1) return { to: 'commit' };
        failedAtMs = Date.now();
        return { to: 'retry', delayMs: 2_500, failure: aFailure };
      },
    });
    await send(topic.main.name, [
      ['a', 'a0'],
      ['a', 'a1'],
      ['b', 'b0'],
      ['a', 'a2'],
    ]);
    await eventually(() => seen.length === 5, { timeoutMs: 40_000 });
    expect(seen.map(({ value }) => value)).toEqual(['a0', 'b0', 'a0', 'a1', 'a2']);
    expect(seen[2]).toMatchObject({ number: 2, topic: topic.retry.name });
    expect((seen[2]?.atMs ?? 0) - failedAtMs).toBeGreaterThanOrEqual(2_500);
    const parked = [...(await readAll(client, topic.retry.name)).values()];
    expect(parked).toHaveLength(1);
    const header = (name: string) => parked[0]?.headers?.[name]?.toString();
    expect([header('x-origin-topic'), header('x-origin-partition'), header('x-origin-offset')]).toEqual([
      topic.main.name,
      '0',
      '0',
    ]);
    expect([header('x-retry-attempt'), header('x-origin-group')]).toEqual(['1', group]);
    await eventually(async () => (await committed(group, topic.main.name))[0]?.offset === '4');
    await eventually(async () => (await committed(group, topic.retry.name))[0]?.offset === '1');
  });

  it('keeps due time, attempt and order over a kill -9 while records are parked, and loses nothing', async () => {
    const topic = await aPair(2);
    const group = uniqueName('kill');
    const seen: Seen[] = [];
    const delayMs = 25_000;
    const keys = ['a', 'b', 'c', 'd'];
    const records = keys.flatMap((key) => [[key, `fail-${key}`] as const, [key, `next-${key}`] as const]);
    await send(topic.main.name, [...records, ['free', 'free']]);
    const first = startChild(group, topic.main.name, delayMs, seen);
    await eventually(() => seen.length === keys.length + 1, { timeoutMs: 40_000 });
    await eventually(async () => (await readAll(client, topic.retry.name)).size >= keys.length, { timeoutMs: 20_000 });
    const parked = await readAll(client, topic.retry.name);
    first.kill('SIGKILL');
    const before = seen.length;
    startChild(group, topic.main.name, delayMs, seen);
    const all = () => keys.every((key) => seen.some(({ value }) => value === `next-${key}`));
    await eventually(all, { timeoutMs: 80_000 });
    const due = new Map(
      [...parked.values()].map(({ value, headers }) => [
        String(value),
        Number(headers?.['x-retry-due-ms']?.toString()),
      ]),
    );
    for (const key of keys) {
      const ofKey = seen.slice(before).filter((one) => one.key === key);
      expect(ofKey.map(({ value, number }) => [value, number])).toEqual([
        [`fail-${key}`, 2],
        [`next-${key}`, 1],
      ]);
      expect(ofKey[0]?.atMs).toBeGreaterThanOrEqual(due.get(`fail-${key}`) ?? Number.POSITIVE_INFINITY);
    }
  });

  it('holds the key of a dead letter over a kill -9 and a hand-over, until a person decides', async () => {
    const topic = await aPair(1);
    const group = uniqueName('hold');
    const seen: Seen[] = [];
    const values = () => seen.map(({ value }) => value);
    await send(topic.main.name, [
      ['a', 'die-a'],
      ['a', 'next-a'],
      ['b', 'b0'],
    ]);
    const first = startChild(group, topic.main.name, 0, seen);
    await eventually(() => values().includes('b0'), { timeoutMs: 40_000 });
    await eventually(async () => (await committed(group, topic.main.name))[0]?.offset === '1', { timeoutMs: 20_000 });
    first.kill('SIGKILL');
    const handler: RuntimeUnderTest['handler'] = async (record, { number }) => {
      seen.push({ key: String(record.key), value: text(record), number, atMs: Date.now() });
      return { to: 'commit' };
    };
    const options = { retries: { topic: topic.retry, takeover, onDead: 'hold' } } as const;
    const second = start({ topic, group, handler, options });
    await send(topic.main.name, [['c', 'c0']]);
    await eventually(() => values().includes('c0'), { timeoutMs: 60_000 });
    const third = start({ topic, group, handler, options });
    await eventually(() => third.snapshot().state === 'ready', { timeoutMs: 30_000 });
    await second.stop({ deadlineMs: 2_000 });
    await send(topic.main.name, [['d', 'd0']]);
    await eventually(() => values().includes('d0'), { timeoutMs: 30_000 });
    expect(values().filter((value) => value.endsWith('-a'))).toEqual(['die-a']);
    expect(third.snapshot().parked).toMatchObject([
      { heads: [{ lane: 'a', deadLetter: expect.stringMatching(/\/0\/0$/) }] },
    ]);
    const [hold] = [...(await readAll(client, topic.retry.name)).values()];
    await producer.send({
      topic: topic.retry.name,
      partition: 0,
      key: 'a',
      value: Buffer.from('die-a'),
      headers: { ...hold?.headers, 'x-redrive-count': '1', 'x-retry-hold': 'released' },
    });
    await eventually(() => values().includes('next-a'), { timeoutMs: 20_000 });
    expect(values().filter((value) => value.endsWith('-a'))).toEqual(['die-a', 'next-a']);
    await eventually(async () => (await committed(group, topic.main.name))[0]?.offset === '5');
    await eventually(async () => (await committed(group, topic.retry.name))[0]?.offset === '2');
  });

  it('goes on after partitions went to another member and came back within the wait of a parked record', async () => {
    const topic = await aPair(2);
    const group = uniqueName('away');
    const seen: string[] = [];
    const handler: RuntimeUnderTest['handler'] = async (record, { number }) => {
      seen.push(`${text(record)}#${number}`);
      return text(record).startsWith('fail') && number === 1
        ? { to: 'retry', delayMs: 12_000, failure: aFailure }
        : { to: 'commit' };
    };
    const keys = Array.from({ length: 8 }, (_, i) => `k${i}`);
    const first = start({ topic, group, handler });
    await send(
      topic.main.name,
      keys.flatMap((key) => [[key, `fail-${key}`] as const, [key, `next-${key}`] as const]),
    );
    const parkedOf = (runtime: ConsumerRuntime) =>
      runtime.snapshot().parked.reduce((sum, { records }) => sum + records, 0);
    await eventually(() => parkedOf(first) === keys.length, { timeoutMs: 30_000 });
    const second = start({ topic, group, handler });
    await eventually(() => second.snapshot().partitions.length === 2, { timeoutMs: 30_000 });
    for (const runtime of [first, second]) {
      const { partitions } = runtime.snapshot();
      expect(new Set(partitions.map(({ partition }) => partition)).size).toBe(1);
    }
    await second.stop({ deadlineMs: 2_000 });
    await eventually(() => keys.every((key) => seen.includes(`next-${key}#1`)), { timeoutMs: 60_000 });
    for (const key of keys) {
      const ofKey = seen.filter((one) => one.includes(`-${key}#`));
      expect(ofKey).toEqual([`fail-${key}#1`, `fail-${key}#2`, `next-${key}#1`]);
    }
    expect(first.snapshot().pauses).toEqual([]);
  });
});
