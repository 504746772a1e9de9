import { describe, expect, it } from 'vitest';
import { countInversions } from './verdict.js';

describe('countInversions', () => {
  it.each([
    [[0, 1, 2, 3], 0],
    [[0, 2, 1, 3], 1],
    [[3, 0, 1, 2], 3],
    [[], 0],
  ])('%j has %d', (positions, count) => expect(countInversions(positions)).toBe(count));
});
