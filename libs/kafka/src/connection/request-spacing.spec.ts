import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import { type FetchingGroup, fetchSpacingRule, spaced, spaceFetches } from './kafkajs-fetch-spacing.js';
import { RequestSpacing, spacingOfSmall } from './request-spacing.js';

const batch = (records: number) => ({ rawMessages: Array.from({ length: records }, () => ({})) });

describe('the spacing of requests', () => {
  it('lets the first go at once, and one after a quiet time', async () => {
    const clock = new VirtualClock();
    const spacing = new RequestSpacing(clock, () => 20);
    const startMs = clock.now();
    await spacing.turn();
    spacing.carried(1);
    await clock.advance(30);
    await spacing.turn();
    expect(clock.now() - startMs).toBe(30);
  });

  it('counts from the start of the request before, not from its end', async () => {
    const clock = new VirtualClock();
    const spacing = new RequestSpacing(clock, () => 20);
    await spacing.turn();
    await clock.advance(15);
    spacing.carried(1);
    let hasTurn = false;
    const turn = spacing.turn().then(() => {
      hasTurn = true;
    });
    await clock.advance(4);
    expect(hasTurn).toBe(false);
    await clock.advance(1);
    await turn;
    expect(hasTurn).toBe(true);
  });

  it('ends its wait when the requests are given up', async () => {
    const clock = new VirtualClock();
    const spacing = new RequestSpacing(clock, () => 60_000);
    const stopping = new AbortController();
    await spacing.turn();
    spacing.carried(1);
    const turn = spacing.turn(stopping.signal);
    stopping.abort();
    await expect(turn).resolves.toBeUndefined();
  });

  it.each([
    [0, 20],
    [11, 20],
    [12, 40],
    [199, 40],
    [200, 0],
    [50_000, 0],
  ])('of fetches after %i records is %i ms', (records, ms) => {
    expect(fetchSpacingRule({ quietMs: 20, busyMs: 40 })(records)).toBe(ms);
  });
});

describe('the spacing of small requests', () => {
  it('does not make many senders wait for the first of them', () => {
    const rule = spacingOfSmall(10, 16);
    expect([3, 5, 61, 3, 61, 3, 3, 4].map(rule)).toEqual([10, 10, 0, 0, 0, 0, 10, 10]);
  });
});

describe('spaced fetches', () => {
  class Group implements FetchingGroup {
    readonly fetchedAtMs: [number, number][] = [];
    readonly cluster = {};

    constructor(
      private readonly clock: VirtualClock,
      private readonly records: readonly number[],
    ) {}

    async fetch(nodeId: number) {
      this.fetchedAtMs.push([nodeId, this.clock.now()]);
      return this.records.map(batch);
    }
  }

  async function fetched(records: readonly number[], nodes: readonly number[], busyMs?: number) {
    const clock = new VirtualClock();
    const fetch = spaced<Group>(Group.prototype.fetch, clock);
    const group = new Group(clock, records);
    if (busyMs !== undefined) spaceFetches(group.cluster, { quietMs: 20, busyMs });
    const startMs = clock.now();
    const all = (async () => {
      const answers: number[][] = [];
      for (const node of nodes) answers.push((await fetch(group, node)).map(({ rawMessages }) => rawMessages.length));
      return answers;
    })();
    for (let i = 0; i < 200; i++) await clock.advance(1);
    return { answers: await all, at: group.fetchedAtMs.map(([node, ms]) => [node, ms - startMs]) };
  }

  it('leave out the partitions that brought nothing', async () => {
    expect((await fetched([0, 3, 0, 1], [1])).answers).toEqual([[3, 1]]);
  });

  it('start apart when they bring little', async () => {
    expect((await fetched([1], [1, 1, 1])).at).toEqual([
      [1, 0],
      [1, 20],
      [1, 40],
    ]);
  });

  it('are as far apart as their consumer asks', async () => {
    expect((await fetched([12], [1, 1, 1], 50)).at).toEqual([
      [1, 0],
      [1, 50],
      [1, 100],
    ]);
  });

  it('follow each other at once while there is a backlog', async () => {
    expect((await fetched([150, 150], [1, 1, 1])).at).toEqual([
      [1, 0],
      [1, 0],
      [1, 0],
    ]);
  });

  it('are spaced by broker', async () => {
    expect((await fetched([1], [1, 2, 1])).at).toEqual([
      [1, 0],
      [2, 0],
      [1, 20],
    ]);
  });
});
