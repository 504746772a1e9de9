import { describe, expect, it } from 'vitest';
import { percentile, type Stage, whyNotHeld } from './held.js';

const steady: Stage = {
  rate: 100,
  seconds: 60,
  sent: 6_000,
  refused: 0,
  achieved: 99.5,
  outstanding: [5, 9, 6, 8, 7, 9, 6, 8],
  drainedMs: 60,
};

describe('whyNotHeld', () => {
  it('says nothing of a rate that was held', () => {
    expect(whyNotHeld(steady, 3)).toBeUndefined();
  });

  it.each<[string, Partial<Stage>, RegExp]>([
    ['a webhook that was not accepted', { refused: 1 }, /1 webhooks were not accepted/],
    ['a rate more than 2 % below', { achieved: 97.9 }, /only 98 events/],
    ['a backlog that grows', { outstanding: [0, 50, 100, 150, 200, 250, 300, 350] }, /grew from 125 to 325/],
    ['a rest that takes too long', { drainedMs: 5_001 }, /not drained/],
    ['a rest that never came', { drainedMs: undefined }, /not drained/],
  ])('names %s', (_, change, reason) => {
    expect(whyNotHeld({ ...steady, ...change }, 3)).toMatch(reason);
  });

  it('forgives what is on its way within 0.3 s', () => {
    expect(whyNotHeld({ ...steady, outstanding: [10, 10, 10, 10, 90, 90, 90, 90] }, 3)).toBeUndefined();
  });
});

describe('percentile', () => {
  it.each([
    ['the middle', [3, 1, 2], 0.5, 2],
    ['the last of a hundred and one', Array.from({ length: 101 }, (_, i) => i), 0.99, 99],
    ['the only one', [7], 0.99, 7],
    ['nothing', [], 0.5, Number.NaN],
  ])('%s', (_, values, share, expected) => {
    expect(percentile(values, share)).toBe(expected);
  });
});
