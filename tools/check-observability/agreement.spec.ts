import { describe, expect, it } from 'vitest';
import { apart, bucketedQuantile, exactQuantile, successIn } from './agreement.js';

describe('what is held against Prometheus', () => {
  it.each([
    ['all in one bucket: as far in as the rank', Array.from({ length: 100 }, () => 0.11), 0.95, 0.1475],
    ['the rank falls into the second of two', [...Array(80).fill(0.003), ...Array(20).fill(0.12)], 0.95, 0.1375],
    ['the rank ends a bucket', [...Array(95).fill(0.003), ...Array(5).fill(0.12)], 0.95, 0.005],
    ['a time on a boundary belongs below it', Array(10).fill(0.1), 0.5, 0.0875],
    ['beyond the last bucket: its lower end', Array(10).fill(99), 0.95, 30],
  ])('is a quantile through the same buckets: %s', (_, seconds, share, expected) => {
    expect(bucketedQuantile(share, seconds)).toBeCloseTo(expected, 6);
  });

  it('is beside the exact one', () => {
    expect(
      exactQuantile(
        0.95,
        Array.from({ length: 100 }, (_, n) => n + 1),
      ),
    ).toBe(95);
    expect(exactQuantile(0.5, [3, 1, 2])).toBe(2);
  });

  it('counts answers of 2xx', () => {
    const answers = [200, 202, 429, 503].map((status) => ({ atMs: 0, status, durationMs: 1 }));
    expect(successIn(answers)).toBe(0.5);
  });

  it('is a share of the reference', () => {
    expect(apart(0.99, 1)).toBeCloseTo(0.01);
    expect(apart(1.1, 1)).toBeCloseTo(0.1);
  });
});
