import { defineTopic, retryTopicOf } from '@tributary/contracts';
import { describe, expect, it } from 'vitest';
import type { IncomingRecord } from '../../records.js';
import { aFailure } from '../../testing/failures.js';
import { main, p, r, retry, scene, text } from '../../testing/retry-scene.js';
import { settled } from '../../testing/virtual-clock.js';

describe('RetryChain', () => {
  it('stops when the assigner separates a partition from its retry partition', async () => {
    const at = await scene(async () => ({ to: 'commit' }));
    await at.driver.assign([p]);
    expect(at.fatal[0]?.message).toMatch(/main:0 was assigned without main\.retry/);
  });

  it('refuses a retry topic that it does not consume', async () => {
    const other = defineTopic({ ...main, name: 'other' });
    await expect(scene(async () => ({ to: 'commit' }), { retries: { topic: retryTopicOf(other) } })).rejects.toThrow(
      /has the retry topic other\.retry/,
    );
  });

  it('buries what somebody else wrote into its topic and goes on', async () => {
    const seen: string[] = [];
    const at = await scene(async (record) => {
      seen.push(text(record));
      return { to: 'commit' };
    });
    at.broker.append(r, 'x', 'foreign', 0, { 'x-origin-topic': 'elsewhere' });
    at.broker.append(p, 'a', 'mine');
    await at.driver.assign([p, r]);
    await settled();
    for (let i = 0; i < 5; i++) await at.turn(500);
    expect(seen).toEqual(['mine']);
    expect(at.dead.map(({ headers }) => headers?.['x-error-class'])).toEqual(['invalid']);
    expect(at.broker.commits.get('main.retry:0')?.offset).toBe(1);
  });

  it('parks the overflow of a closed gate, keeps others flowing, charges no attempt, and returns all in order', async () => {
    const seen: string[] = [];
    const opensAtMs = 1_000_000 + 60_000;
    const at = await scene(
      async (record, { number }) => {
        const nowMs = at.clock.now();
        seen.push(`${text(record)}#${number}`);
        const isClosed = record.headers['x-connection-id'] === 'busy' && nowMs < opensAtMs;
        return isClosed ? { to: 'gate', closedForMs: opensAtMs - nowMs, failure: aFailure } : { to: 'commit' };
      },
      { maxWindowRecords: 10 },
    );
    for (let i = 0; i < 60; i++) at.broker.append(p, `k${i % 3}`, `busy${i}`, 0, { 'x-connection-id': 'busy' });
    for (let i = 0; i < 5; i++) at.broker.append(p, 'free', `free${i}`, 0, { 'x-connection-id': 'free' });
    await at.driver.assign([p, r]);
    await settled();
    for (let i = 0; i < 40; i++) await at.turn(500);
    expect(seen.filter((one) => one.startsWith('free'))).toHaveLength(5);
    const early = seen.filter((one) => one.startsWith('busy'));
    expect(early.length).toBeLessThanOrEqual(3);
    seen.length = 0;
    for (let i = 0; i < 200; i++) await at.turn(500);
    expect(seen).toHaveLength(60);
    for (const lane of [0, 1, 2]) {
      const indexes = seen.map((one) => Number(/busy(\d+)#1/.exec(one)?.[1])).filter((index) => index % 3 === lane);
      expect(indexes).toEqual(Array.from({ length: 20 }, (_, i) => lane + 3 * i));
    }
    expect(at.broker.commits.get('main:0')?.offset).toBe(65);
  });

  it('keeps a gate closed for the next owner, for keys that were not parked too', async () => {
    const calls: string[] = [];
    const at = await scene(async (record) => {
      calls.push(`${text(record)} ${at.clock.now()}`);
      return { to: 'commit' };
    });
    const connection = { 'x-connection-id': 'busy' };
    at.broker.append(p, 'a', 'a0', 0, connection);
    at.broker.append(p, 'b', 'b0', 0, connection);
    at.broker.append(r, 'a', 'a0', 0, {
      ...connection,
      'x-origin-topic': 'main',
      'x-origin-partition': '0',
      'x-origin-offset': '0',
      'x-retry-due-ms': '1090000',
      'x-error-class': 'throttled',
    });
    await at.driver.assign([p, r]);
    await settled();
    for (let i = 0; i < 179; i++) await at.turn(500);
    expect(calls).toEqual([]);
    for (let i = 0; i < 4; i++) await at.turn(500);
    expect(calls.map((call) => call.split(' ')[0]).sort()).toEqual(['a0', 'b0']);
  });

  it('appends the records again that hold the watermark of retry, unchanged, before the completion map is full', async () => {
    const isStuck = (record: IncomingRecord) => Number(text(record)) % 3 === 0;
    const at = await scene(async (record, { number }) =>
      number > 1 ? { to: 'commit' } : { to: 'retry', delayMs: isStuck(record) ? 7_200_000 : 11_000, failure: aFailure },
    );
    const total = 21_000;
    for (let i = 0; i < total; i++) at.broker.append(p, `k${i}`, String(i));
    await at.driver.assign([p, r]);
    await settled();
    const copiesOfFirst = () => at.broker.logs.get('main.retry:0')?.filter(({ value }) => String(value) === '0') ?? [];
    for (let i = 0; i < 300 && copiesOfFirst().length < 2; i++) {
      at.driver.fetch(1_000);
      await at.clock.advance(1_000);
    }
    const [first, second] = copiesOfFirst();
    expect(second?.headers).toEqual(first?.headers);
    expect(at.runtime.snapshot().partitions.every(({ mapBytes }) => mapBytes <= 2_250)).toBe(true);
    expect(at.fatal).toEqual([]);
  });

  it('delivers what filled the retry topic', async () => {
    let delivered = 0;
    const at = await scene(async (_, { number }) => {
      if (number > 1) delivered += 1;
      return number > 1 ? { to: 'commit' } : { to: 'retry', delayMs: 7_200_000, failure: aFailure };
    });
    for (let i = 0; i < 15_000; i++) at.broker.append(p, `k${i}`, String(i));
    await at.driver.assign([p, r]);
    await settled();
    const turns = async (count: number, ms: number) => {
      for (let i = 0; i < count; i++) {
        at.driver.fetch(1_000);
        await at.clock.advance(ms);
      }
    };
    await turns(60, 500);
    expect(at.runtime.snapshot().pauses.map(({ reason }) => reason)).toContain('map');
    for (let hours = 0; hours < 8 && delivered < 15_000; hours++) await turns(12, 300_000);
    expect(delivered).toBe(15_000);
    // Time in proportion to the records: a second. When each record cost a look at all that waits, it was half a minute.
  }, 15_000);

  it('is taken over at once after a clean end, although nothing was ever parked', async () => {
    const seen: string[] = [];
    const at = await scene(async (record) => {
      seen.push(text(record));
      return { to: 'commit' };
    });
    at.broker.append(p, 'a', 'a0');
    await at.driver.assign([p, r]);
    await settled();
    for (let i = 0; i < 4; i++) await at.turn(200);
    await at.driver.assign([]);
    at.broker.append(p, 'a', 'a1');
    await at.driver.assign([p, r]);
    await settled();
    for (let i = 0; i < 4; i++) await at.turn(200);
    expect(seen).toEqual(['a0', 'a1']);
  });

  it('parks the record that holds up main, with its key, when nearly all above it is finished', async () => {
    const at = await scene(async (record) =>
      text(record).startsWith('slow') ? { to: 'suspend', failure: aFailure } : { to: 'commit' },
    );
    const connection = (name: string) => ({ 'x-connection-id': name });
    at.broker.append(p, 'slow', 'slow0', 0, connection('broken'));
    at.broker.append(p, 'slow', 'slow1', 0, connection('broken'));
    const total = 40_000;
    for (let i = 0; i < total; i++) at.broker.append(p, `k${i % 50}`, 'good', 0, connection('fine'));
    await at.driver.assign([p, r]);
    await settled();
    for (let i = 0; i < 60; i++) {
      at.driver.fetch(1_000);
      await at.clock.advance(10);
    }
    expect(at.broker.logs.get('main.retry:0')?.map(({ value }) => String(value))).toEqual(['slow0', 'slow1']);
    await at.clock.advance(1_000);
    expect(at.broker.commits.get('main:0')?.offset).toBe(total + 2);
  });

  it('appends parked records again before retention deletes them, behind a closed gate too, unchanged', async () => {
    const retentionMs = 3_600_000;
    const at = await scene(async () => ({ to: 'gate', closedForMs: 3 * retentionMs, failure: aFailure }), {
      retries: { topic: { ...retry, retentionMs } },
    });
    at.broker.append(p, 'a', 'a0', 0, { 'x-connection-id': 'busy' });
    await at.driver.assign([p, r]);
    await settled();
    for (let i = 0; i < 170; i++) await at.turn(60_000);
    const copies = at.broker.logs.get('main.retry:0') ?? [];
    const times = copies.map(({ timestamp }) => Number(timestamp));
    expect(copies.length).toBeGreaterThanOrEqual(5);
    for (let i = 1; i < times.length; i++) {
      const waitedMs = (times[i] as number) - (times[i - 1] as number);
      expect(waitedMs).toBeGreaterThanOrEqual(retentionMs / 2);
      expect(waitedMs).toBeLessThan(retentionMs * 0.6);
    }
    expect(copies.at(-2)?.headers).toEqual(copies[0]?.headers);
    expect(at.runtime.snapshot().parked).toMatchObject([{ records: 1 }]);
  });

  it('takes a redriven record once, under its own redrive id, although its origin was settled long ago', async () => {
    const seen: string[] = [];
    const at = await scene(async (record, { number }) => {
      seen.push(`${text(record)}#${number}`);
      return { to: 'commit' };
    });
    at.broker.append(p, 'a', 'a0');
    await at.driver.assign([p, r]);
    await settled();
    for (let i = 0; i < 4; i++) await at.turn(500);
    const redrive = (id: string, count: number) =>
      at.broker.append(r, 'a', 'a0', 0, {
        'x-origin-topic': 'main',
        'x-origin-partition': '0',
        'x-origin-offset': '0',
        'x-redrive-id': id,
        'x-redrive-count': String(count),
      });
    redrive('job-1', 1);
    for (let i = 0; i < 4; i++) await at.turn(500);
    // The append of the redrive was repeated: no second delivery.
    redrive('job-1', 1);
    for (let i = 0; i < 4; i++) await at.turn(500);
    expect(seen).toEqual(['a0#1', 'a0#1']);
    redrive('job-2', 2);
    for (let i = 0; i < 4; i++) await at.turn(500);
    expect(seen).toHaveLength(3);
    expect(at.broker.commits.get('main.retry:0')?.offset).toBe(3);
  });
});
