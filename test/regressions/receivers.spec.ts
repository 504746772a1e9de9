/**
 * A slow, dead or failing receiver, or a handler that throws, stops consumers of peers: one record blocks the rest, long waits stall
 * other partitions, slow replies cause duplicates, queues of retries grow without bound, errors restart the consumer for ever.
 */
import { describe, expect, it } from 'vitest';
import { sleep } from '../../libs/kafka/src/connection/clock.js';
import { delivered, outage, scene } from './testing/scene.js';

const times = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('receivers', () => {
  it('aiven-http-265-slow-reply-duplicates: one send per record when replies take 10 s', async () => {
    const at = await scene({
      handler: async () => {
        await sleep(at.clock, 10_000);
        return delivered;
      },
    });
    for (const i of times(20)) at.append(`k${i % 4}`, `v${i}`);
    await at.run(70_000);
    expect([...at.values].sort()).toEqual(
      times(20)
        .map((i) => `v${i}`)
        .sort(),
    );
    expect(at.committed()).toBe(20);
  });

  it('aiven-http-204-one-record-stops-all: others flow past a record that cannot be delivered', async () => {
    const at = await scene({
      handler: async (record) =>
        String(record.value) === 'bad' ? { to: 'retry', delayMs: 3_600_000, failure: outage } : delivered,
    });
    at.append('a', 'bad');
    for (const i of times(500)) at.append(`k${i}`, `v${i}`);
    await at.run(5_000);
    expect(new Set(at.values).size).toBe(501);
    expect(at.committed()).toBe(501);
  });

  it('connect-storage-cloud-461-retry-stalls-others: waits of one partition leave the others alone', async () => {
    const at = await scene(
      {
        handler: async ({ partition }) =>
          partition === 0 ? { to: 'retry', delayMs: 5_000, failure: outage } : delivered,
        options: { maxWindowRecords: 10 },
      },
      [0, 1],
    );
    for (const i of times(50)) {
      at.append(`k${i}`, `slow${i}`, 0);
      at.append(`k${i}`, `fast${i}`, 1);
    }
    await at.run(3_000);
    expect(at.committed(1)).toBe(50);
    expect(at.committed(0) ?? 0).toBe(0);
  });

  it('parallel-consumer-834-retry-queue-oom: a dead receiver fills neither memory nor the window', async () => {
    const maxWindowRecords = 200;
    const at = await scene({
      options: { maxWindowRecords, concurrency: 16 },
      handler: async () => ({ to: 'retry', delayMs: 3_600_000, failure: outage }),
    });
    const value = 'x'.repeat(2_000);
    const total = 12_000;
    for (const i of times(total)) at.append(`k${i}`, `${i} ${value}`);
    let most = 0;
    for (let rounds = 0; rounds < 400 && at.parked().length < total; rounds++) {
      at.driver.fetch(200);
      await at.clock.advance(100);
      for (const { windowRecords } of at.runtime.snapshot().partitions) most = Math.max(most, windowRecords);
    }
    expect(at.parked()).toHaveLength(total);
    // A batch is taken whole when there is room for a part of it.
    expect(most).toBeLessThanOrEqual(2 * maxWindowRecords);
    expect(at.runtime.snapshot().partitions.map(({ windowBytes }) => windowBytes)).toEqual([0, 0]);
  });

  it('nestjs-kafka-26-restart-loop: a handler that throws costs its record, never the consumer', async () => {
    const at = await scene({
      handler: async (record) => {
        if (Number(String(record.value).slice(1)) % 2 === 0) throw new RangeError('a mistake of ours');
        return delivered;
      },
    });
    for (const i of times(10)) at.append('k', `v${i}`);
    await at.run(3_000);
    expect(at.values).toEqual(times(10).map((i) => `v${i}`));
    expect(at.dead).toHaveLength(5);
    expect(at.runtime.state).toBe('ready');
    expect(at.fatal).toEqual([]);
    expect(at.committed()).toBe(10);
  });
});
