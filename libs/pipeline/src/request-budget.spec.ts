import { describe, expect, it } from 'vitest';
import { RequestBudget } from './request-budget.js';

function world(perSecond: number) {
  const clock = { now: 1_000_000 };
  const budget = new RequestBudget(perSecond, () => clock.now);
  const takeMany = (id: string, count: number) => Array.from({ length: count }, () => budget.take(id));
  return { clock, budget, takeMany };
}

describe('RequestBudget', () => {
  it('lets a burst of two seconds through, then says when the next may come', () => {
    const { takeMany } = world(10);
    expect(takeMany('a', 20).every((wait) => wait === undefined)).toBe(true);
    expect(takeMany('a', 1)).toEqual([1]);
  });

  it('fills up with time, and not beyond a burst', () => {
    const { takeMany, clock } = world(10);
    takeMany('a', 20);
    clock.now += 100;
    expect(takeMany('a', 2)).toEqual([undefined, 1]);
    clock.now += 3_600_000;
    expect(takeMany('a', 21).filter((wait) => wait === undefined)).toHaveLength(20);
  });

  it('keeps one connection from using up what another needs', () => {
    const { takeMany } = world(1);
    takeMany('noisy', 100);
    expect(takeMany('quiet', 1)).toEqual([undefined]);
  });

  it('costs nobody anything when the clock is set back', () => {
    const { takeMany, clock } = world(10);
    takeMany('a', 1);
    clock.now -= 3_600_000;
    expect(takeMany('a', 19).every((wait) => wait === undefined)).toBe(true);
  });

  it('has no limit at 0', () => {
    expect(
      world(0)
        .takeMany('a', 1_000)
        .every((wait) => wait === undefined),
    ).toBe(true);
  });

  it('remembers a bounded number of names', () => {
    const { budget } = world(1);
    for (let i = 0; i < 25_000; i++) budget.take(`made-up-${i}`);
    const { buckets } = budget as unknown as { buckets: Map<string, unknown> };
    expect(buckets.size).toBeLessThanOrEqual(10_000);
  });
});
