/**
 * Consumers of peers lose, repeat or skip records, or stop for ever, when partitions move, pause or come back: paused sets that
 * outlive their reason, epochs that rise before the drain, offsets that jump to the end or go back, commits that cover one partition
 * of many. Here ownership has an epoch, a pause has a living reason, and what is finished is committed before a join.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sleep } from '../../libs/kafka/src/connection/clock.js';
import { delivered, outage, type Scene, scene } from './testing/scene.js';

const times = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Attempts that end in an order of the test's choosing. */
function gates() {
  const open = new Map<string, () => void>();
  return {
    wait: (name: string) => new Promise<void>((resolve) => open.set(name, resolve)),
    end: (name: string) => open.get(name)?.(),
    waiting: () => [...open.keys()],
  };
}

describe('when partitions move', () => {
  it('parallel-consumer-857-stuck-after-rebalance: the lag reaches 0 after 20 rebalances of every kind', async () => {
    const at = await scene({
      handler: async (_, { number }) =>
        number === 1 && at.seen.length % 7 === 0 ? { to: 'retry', delayMs: 15_000, failure: outage } : delivered,
    });
    for (const round of times(20)) {
      for (const i of times(5)) at.append(`k${i}`, `${round}/${i}`);
      await at.run(1_000);
      if (round % 4 === 0) await at.crash([0]);
      else if (round % 4 === 1) await at.handOver([0]);
      else await at.assign(round % 4 === 2 ? [0] : [0, 1], round % 4 === 2);
    }
    await at.run(120_000);
    expect(new Set(at.values).size).toBe(100);
    expect(at.committed()).toBe(100);
    expect(at.runtime.snapshot()).toMatchObject({ pauses: [], running: 0, heldLanes: [] });
  });

  it('spring-kafka-2576-rebalance-in-backoff: a rebalance within a wait, in place or parked, leaves the consumer running', async () => {
    const at = await scene({
      handler: async (record, { number }) =>
        number === 1
          ? { to: 'retry', delayMs: String(record.value) === 'short' ? 6_000 : 30_000, failure: outage }
          : delivered,
    });
    at.append('a', 'short');
    at.append('b', 'long');
    await at.run(1_000);
    await at.assign([0], true);
    await at.assign([0], false);
    await at.run(60_000);
    expect(at.runtime.state).toBe('ready');
    expect(at.fatal).toEqual([]);
    expect(at.committed()).toBe(2);
  });

  it('spring-kafka-2222-rebalance-keeps-user-pause: what an operator suspended stays suspended over rebalances', async () => {
    const at = await scene({ handler: async () => delivered });
    at.runtime.suspendScope('c1', 'by hand');
    at.append('a', 'held', 0, { 'x-connection-id': 'c1' });
    at.append('b', 'free', 0, { 'x-connection-id': 'c2' });
    await at.run(1_000);
    await at.assign([0], true);
    await at.assign([0], false);
    await at.run(20_000);
    expect(at.values).toEqual(['free']);
    at.runtime.resumeScope('c1');
    await at.run(1_000);
    expect(at.values).toEqual(['free', 'held']);
  });

  it('kafkajs-28-resolved-lost-on-rebalance: what is finished is committed before the join, without waiting for the interval', async () => {
    const at = await scene({ handler: async () => delivered, retries: false });
    for (const i of times(3)) at.append('a', `a${i}`);
    at.driver.fetch();
    await at.clock.advance(1);
    expect(at.committed()).toBeUndefined();
    await at.assign([]);
    expect(at.committed()).toBe(3);
  });

  it('posthog-59391-epoch-before-drain: a clean revoke and a clean stop repeat nothing, in flight or not', async () => {
    const at = await scene({
      handler: async () => {
        await sleep(at.clock, 900);
        return delivered;
      },
    });
    for (const round of times(6)) {
      for (const i of times(4)) at.append(`k${i}`, `${round}/${i}`);
      await at.run(300, 100);
      await (round % 2 === 0 ? at.handOver([0]) : at.assign([0], false));
    }
    await at.run(20_000);
    expect(at.values.sort()).toEqual(times(6).flatMap((round) => times(4).map((i) => `${round}/${i}`)));
  });

  it('parallel-consumer-826-loss-on-close: a stop that aborts what is in flight loses nothing', async () => {
    const stuck = gates();
    const at = await scene({
      handler: async (record) => {
        if (at.seen.length < 5) await stuck.wait(String(record.value));
        return delivered;
      },
    });
    for (const i of times(8)) at.append(`k${i}`, `v${i}`);
    await at.run(500);
    await at.handOver([0]);
    await at.run(30_000);
    expect(new Set(at.values)).toEqual(new Set(times(8).map((i) => `v${i}`)));
    expect(at.committed()).toBe(8);
  });

  it('platformatic-267-stale-epoch-latest: while the committed offset is not known nothing is read, and then from there', async () => {
    const at = await scene({ handler: async () => delivered });
    for (const i of times(3)) at.append('a', `a${i}`);
    await at.run(1_000);
    await at.assign([]);
    for (const i of times(2)) at.append('a', `b${i}`);
    const { driver } = at;
    const committed = driver.committed.bind(driver);
    driver.committed = async () => {
      throw new Error('FENCED_MEMBER_EPOCH');
    };
    await at.assign([0]);
    await at.run(60_000);
    expect(at.values).toEqual(['a0', 'a1', 'a2']);
    driver.committed = committed;
    await at.run(2_000);
    expect(at.values).toEqual(['a0', 'a1', 'a2', 'b0', 'b1']);
  });
});

describe('commits', () => {
  it('steveo-1054-commits-one-partition: one request commits every partition that has news', async () => {
    const at = await scene({ handler: async () => delivered, retries: false }, [0, 1, 2, 3]);
    for (const partition of times(4)) for (const i of times(partition + 1)) at.append('k', `${i}`, partition);
    await at.run(1_000);
    expect(times(4).map((partition) => at.committed(partition))).toEqual([1, 2, 3, 4]);
    const requests = at.driver.commitRequests.filter((request) => request.length === 4);
    expect(requests.length).toBeGreaterThanOrEqual(1);
  });

  it('decaton-offset-regression: the committed offset never goes back, whatever the order in which records end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 30 }), { minLength: 5, maxLength: 60 }), async (order) => {
        const work = gates();
        const at = await scene({
          retries: false,
          handler: async (record) => {
            await work.wait(String(record.value));
            return delivered;
          },
        });
        for (const i of times(31)) at.append(`k${i}`, `v${i}`);
        for (const [step, index] of order.entries()) {
          work.end(`v${index}`);
          await at.run(300, 300);
          if (step % 10 === 9) await at.assign([0], true);
        }
        const offsets = at.driver.commitRequests.flatMap((request) => request.map(({ offset }) => offset));
        expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
      }),
      { numRuns: 30, seed: 20_261_122 },
    );
  });

  it('parallel-consumer-875-skip-then-stall: over crashes no offset is skipped, and none that was committed comes again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 39 }), { maxLength: 40 }), async (ended) => {
        const work = gates();
        let isOver = false;
        const at: Scene = await scene({
          retries: false,
          handler: async (record) => {
            if (!isOver) await work.wait(String(record.value));
            return delivered;
          },
        });
        for (const i of times(40))
          at.broker.append({ topic: 'main', partition: 0 }, `k${i}`, `v${i}`, i % 5 === 4 ? 3 : 0);
        await at.run(250);
        for (const index of ended) work.end(`v${index}`);
        await at.run(1_000);
        const finished = new Set(ended.map((index) => `v${index}`));
        const before = at.seen.length;
        isOver = true;
        await at.crash([0]);
        await at.run(5_000);
        const again = at.values.slice(before);
        expect(again.filter((value) => finished.has(value))).toEqual([]);
        expect(new Set([...finished, ...again]).size).toBe(40);
        expect(at.runtime.snapshot().partitions[0]?.watermark).toBe(at.committed());
      }),
      { numRuns: 60, seed: 20_261_122 },
    );
  });

  it('parallel-consumer-647-metadata-too-large: the map stays small enough, admission stops before it is full, nothing is dropped', async () => {
    let isBlocked = true;
    const held: (() => void)[] = [];
    const at = await scene({
      retries: false,
      options: { concurrency: 20_000, maxWindowRecords: 20_000 },
      handler: async (record) => {
        if (isBlocked && Number(record.value) % 2 === 0) await new Promise<void>((resolve) => held.push(resolve));
        return delivered;
      },
    });
    const total = 30_000;
    for (const i of times(total)) at.append(`k${i}`, String(i));
    await at.run(40_000);
    expect(at.runtime.snapshot().pauses.map(({ reason }) => reason)).toContain('map');
    isBlocked = false;
    for (let rounds = 0; rounds < 400 && at.committed() !== total; rounds++) {
      for (const end of held.splice(0)) end();
      await at.run(250);
    }
    const lengths = at.driver.commitRequests.flatMap((request) => request.map(({ metadata }) => metadata.length));
    expect(Math.max(...lengths)).toBeLessThanOrEqual(3_000);
    expect(Math.max(...lengths)).toBeGreaterThan(2_000);
    expect(new Set(at.values).size).toBe(total);
    expect(at.committed()).toBe(total);
  });
});

describe('pauses', () => {
  it('kafkajs-1376-pause-and-throw: a handler that throws while its partition is paused leaves no pause behind', async () => {
    const at = await scene({
      options: { maxWindowRecords: 4 },
      handler: async () => {
        throw new TypeError('a mistake of ours');
      },
    });
    for (const i of times(40)) at.append(`k${i}`, `v${i}`);
    for (const _ of times(60)) {
      at.driver.fetch(4);
      await at.clock.advance(50);
      const told = new Set(at.runtime.snapshot().pauses.map(({ topic, partition }) => `${topic}:${partition}`));
      expect(at.driver.paused).toEqual(told);
    }
    expect(at.dead).toHaveLength(40);
    expect(at.runtime.snapshot().pauses).toEqual([]);
    expect(at.committed()).toBe(40);
  });

  it('confluent-js-517-pause-loses-prefetched: what was fetched when a pause began is not lost', async () => {
    const at = await scene({
      retries: false,
      options: { maxWindowRecords: 3, concurrency: 1 },
      handler: async () => {
        await sleep(at.clock, 20);
        return delivered;
      },
    });
    for (const i of times(300)) at.append(`k${i % 9}`, `v${i}`);
    let pauses = 0;
    const pause = at.driver.pause.bind(at.driver);
    at.driver.pause = (partitions) => {
      pauses += 1;
      pause(partitions);
    };
    for (let rounds = 0; rounds < 2_000 && at.committed() !== 300; rounds++) {
      at.driver.fetch(20);
      await at.clock.advance(15);
    }
    expect(pauses).toBeGreaterThan(10);
    expect([...at.values].sort()).toEqual(
      times(300)
        .map((i) => `v${i}`)
        .sort(),
    );
    expect(at.committed()).toBe(300);
  });
});
