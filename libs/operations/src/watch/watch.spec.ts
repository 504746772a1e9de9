import type { OffsetRange } from '@tributary/kafka';
import type { ProofReport } from '@tributary/proof';
import type { Metrics } from '@tributary/telemetry';
import { describe, expect, it } from 'vitest';
import { DeadLetterWatch } from './dead-letter-watch.js';
import { LagWatch } from './lag-watch.js';
import { ProofWatch } from './proof-watch.js';
import { startRounds } from './rounds.js';

function scraped(watch: { observe(metrics: Pick<Metrics, 'observe'>): void }) {
  const read = new Map<string, () => Iterable<readonly [number, object?]>>();
  watch.observe({ observe: (name, values) => void read.set(name, values) });
  return (name: string) => [...(read.get(name)?.() ?? [])];
}

const report = (over: Partial<ProofReport> = {}): ProofReport => ({
  from: null,
  to: null,
  tenant: null,
  event: null,
  open: [],
  moreOpen: 0,
  sources: [],
  domains: [],
  destinations: [],
  ledger: { records: 0, rows: 0, waiting: 0 },
  findings: [],
  moreFindings: 0,
  closes: true,
  ...over,
});

describe('the regular proof', () => {
  it('proves its window, and says what came of it and how long ago', async () => {
    let nowMs = 1_000_000;
    const asked: Date[] = [];
    let answer = report();
    const watch = new ProofWatch({
      prove: async (from) => {
        asked.push(from);
        return answer;
      },
      windowMs: 60_000,
      nowMs: () => nowMs,
      logger: { error: () => undefined },
    });
    const values = scraped(watch);
    nowMs += 5_000;
    expect([values('proof.closes'), values('proof.age')]).toEqual([[], [[5]]]);
    await watch.round();
    expect(asked).toEqual([new Date(945_000)]);
    expect([values('proof.closes'), values('proof.findings'), values('proof.age')]).toEqual([[[1]], [[0]], [[0]]]);
    answer = report({ closes: false, findings: [{ where: 'http', what: 'x' }], moreFindings: 3 });
    await watch.round();
    expect([values('proof.closes'), values('proof.findings')]).toEqual([[[0]], [[4]]]);
  });

  it('keeps what it knew, and grows older, while nobody can prove', async () => {
    let nowMs = 0;
    let works = true;
    const prove = async () => {
      if (!works) throw new Error('the database is away');
      return report();
    };
    const watch = new ProofWatch({ prove, windowMs: 1, nowMs: () => nowMs, logger: { error: () => undefined } });
    await watch.round();
    works = false;
    nowMs = 9_000;
    await expect(watch.round()).rejects.toThrow('away');
    const values = scraped(watch);
    expect([values('proof.closes'), values('proof.age')]).toEqual([[[1]], [[9]]]);
  });
});

function deadLetters() {
  const reads: OffsetRange[][] = [];
  const world = { high: 0, done: 0, reads };
  const watch = new DeadLetterWatch({
    topics: ['a.dlt', 'missing.dlt'],
    ranges: async (topic) =>
      topic === 'a.dlt'
        ? [
            { topic, partition: 0, from: 0, to: world.high },
            { topic, partition: 1, from: 4, to: 4 },
          ]
        : [],
    read: async function* (ranges) {
      reads.push([...ranges]);
      for (const { from } of ranges) yield { timestampMs: from * 1_000 };
    },
    acts: {
      openIn: async (_, ranges) =>
        ranges.map(({ partition, to }) => ({
          partition,
          open: to - world.done,
          firstOpen: to > world.done ? world.done : undefined,
        })),
    },
    nowMs: () => 100_000,
  });
  return { world, watch, values: scraped(watch) };
}

describe('the watch over dead letters', () => {
  it('says 0 for a topic that holds none, and nothing of one that is not there', async () => {
    const { watch, values, world } = deadLetters();
    await watch.round();
    expect(values('dead.letters.open')).toEqual([[0, { topic: 'a.dlt' }]]);
    expect(values('dead.letters.oldest.age')).toEqual([[0, { topic: 'a.dlt' }]]);
    expect(world.reads).toEqual([]);
  });

  it('counts the open ones, and reads the oldest only when it is another', async () => {
    const { watch, values, world } = deadLetters();
    world.high = 10;
    await watch.round();
    world.high = 12;
    await watch.round();
    expect(world.reads).toHaveLength(1);
    expect(values('dead.letters.open')).toEqual([[12, { topic: 'a.dlt' }]]);
    expect(values('dead.letters.oldest.age')).toEqual([[100, { topic: 'a.dlt' }]]);
    world.done = 3;
    await watch.round();
    expect(values('dead.letters.open')).toEqual([[9, { topic: 'a.dlt' }]]);
    expect(values('dead.letters.oldest.age')).toEqual([[97, { topic: 'a.dlt' }]]);
    world.done = 12;
    await watch.round();
    expect(values('dead.letters.oldest.age')).toEqual([[0, { topic: 'a.dlt' }]]);
    expect(world.reads).toHaveLength(2);
  });
});

describe('the watch over lag', () => {
  const admin = {
    offsets: async (topic: string) =>
      topic === 'missing'
        ? undefined
        : [
            { partition: 0, low: 0, high: 100 },
            { partition: 1, low: 40, high: 60 },
            { partition: 2, low: 0, high: 7 },
          ],
    groupOffsets: async () => [
      { topic: 'a', partition: 0, offset: 90, metadata: '' },
      { topic: 'a', partition: 1, offset: 10, metadata: '' },
      { topic: 'a', partition: 2, offset: undefined, metadata: '' },
      { topic: 'missing', partition: 0, offset: 5, metadata: '' },
    ],
  };

  it('counts what is there and not committed, and all of it where nothing was', async () => {
    const watch = new LagWatch({ groups: [{ group: 'g', topics: ['a', 'missing'] }], admin });
    const values = scraped(watch);
    expect(values('lag.records')).toEqual([]);
    await watch.round();
    expect(values('lag.records')).toEqual([[10 + 20 + 7, { group: 'g', topic: 'a' }]]);
  });

  it('keeps what it knew while nobody answers, and is never below 0', async () => {
    let works = true;
    const watch = new LagWatch({
      groups: [{ group: 'g', topics: ['a'] }],
      admin: {
        offsets: async () => [{ partition: 0, low: 0, high: 3 }],
        groupOffsets: async () => {
          if (!works) throw new Error('Kafka is away');
          // Committed between the two questions.
          return [{ topic: 'a', partition: 0, offset: 4, metadata: '' }];
        },
      },
    });
    await watch.round();
    works = false;
    await expect(watch.round()).rejects.toThrow('away');
    expect(scraped(watch)('lag.records')).toEqual([[0, { group: 'g', topic: 'a' }]]);
  });
});

describe('rounds', () => {
  it('go on after a failure, one at a time, and end with the one under way', async () => {
    let running = 0;
    let most = 0;
    let count = 0;
    const failures: string[] = [];
    const third = Promise.withResolvers<void>();
    const rounds = startRounds({
      everyMs: 1,
      act: async () => {
        running += 1;
        most = Math.max(most, running);
        count += 1;
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        if (count === 1) throw new Error('away');
        if (count === 3) third.resolve();
      },
      logger: { warn: (_: unknown, event?: string) => void failures.push(String(event)) },
      event: 'round.failed',
    });
    await third.promise;
    await rounds.stop();
    const after = count;
    await new Promise((resolve) => setImmediate(resolve));
    expect([count, running, most]).toEqual([after, 0, 1]);
    expect(failures).toEqual(['round.failed']);
  });
});
