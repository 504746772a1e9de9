import { describe, expect, it } from 'vitest';
import { type Arrival, longestGapMs, lossesIn, timeToFullRateMs } from './fault-measures.js';

const arrivals = (...ns: number[]): Arrival[] => ns.map((n, i) => ({ key: 'k', n, atMs: i }));

describe('losses', () => {
  it.each([
    [3, [0, 1, 2], { lost: 0, inversions: 0 }],
    [3, [0, 2], { lost: 1, inversions: 0 }],
    [3, [0, 2, 1], { lost: 0, inversions: 1 }],
    [4, [3, 0, 1, 2], { lost: 0, inversions: 3 }],
    [2, [], { lost: 2, inversions: 0 }],
  ])('of %d sent and %j arrived', (sent, ns, found) => {
    expect(lossesIn(new Map([['k', sent]]), arrivals(...ns))).toEqual(found);
  });

  it('are of each key by itself', () => {
    const mixed: Arrival[] = [
      { key: 'a', n: 1, atMs: 0 },
      { key: 'b', n: 0, atMs: 1 },
    ];
    const sent = new Map([
      ['a', 2],
      ['b', 1],
      ['c', 5],
    ]);
    expect(lossesIn(sent, mixed)).toEqual({ lost: 6, inversions: 0 });
  });
});

describe('the longest gap', () => {
  it.each([
    ['between two', [100, 400, 500], 300],
    ['at the beginning', [700], 700],
    ['at the end', [100, 200], 800],
    ['of a lane that is silent', [], 1_000],
    ['without what came before and after', [-50, 500, 1_500], 500],
  ])('%s', (_, times, longest) => {
    const lanes = new Map([
      ['busy', Array.from({ length: 100 }, (_, i) => i * 10)],
      ['it', times],
    ]);
    expect(longestGapMs(lanes, 0, 1_000)).toBe(longest);
  });
});

describe('the time to full rate', () => {
  const steady = (fromMs: number, toMs: number) =>
    Array.from({ length: (toMs - fromMs) / 10 }, (_, i) => fromMs + i * 10);
  const over = (times: number[]) => timeToFullRateMs(times, { faultAtMs: 1_000, untilMs: 9_000, perSecond: 100 });

  it('is nothing when it never fell', () => expect(over(steady(0, 10_000))).toBe(0));
  it('ends with the last slow second', () => {
    const found = over([...steady(0, 2_000), ...steady(5_000, 10_000)]);
    expect(found).toBeGreaterThanOrEqual(4_000);
    expect(found).toBeLessThanOrEqual(4_200);
  });
  it('is not shortened by a burst in between', () => {
    const burst = Array.from({ length: 500 }, () => 3_000);
    expect(over([...steady(0, 2_000), ...burst, ...steady(5_000, 10_000)])).toBeGreaterThanOrEqual(4_000);
  });
  it('is all of it when it never came back', () => expect(over(steady(0, 2_000))).toBe(8_000));
});
