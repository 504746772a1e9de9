import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeCompletionMap,
  emptyCompletionMap,
  encodeCompletionMap,
  mapBytesAtMost,
  maxMapCharacters,
  type OffsetRange,
  UnreadableCompletionMap,
} from './completion-map.js';

/** A base and ranges above it: pairs of (unfinished, finished) lengths. */
const aMap = (runs: { min: number; max: number }, longest: number) =>
  fc.record({
    base: fc.integer({ min: 0, max: 2 ** 40 }),
    lengths: fc.array(fc.tuple(fc.integer({ min: 1, max: longest }), fc.integer({ min: 1, max: longest })), {
      minLength: runs.min,
      maxLength: runs.max,
    }),
  });

function rangesOf(base: number, lengths: readonly (readonly [number, number])[]): OffsetRange[] {
  let at = base;
  return lengths.map(([skip, take]) => {
    const from = at + skip;
    at = from + take;
    return { from, to: at };
  });
}

describe('the completion map', () => {
  it('reads back what was written, in whichever form is smaller', () => {
    const maps = fc.oneof(
      aMap({ min: 0, max: 200 }, 4),
      aMap({ min: 0, max: 200 }, 3_000),
      aMap({ min: 1, max: 3 }, 2 ** 30),
    );
    fc.assert(
      fc.property(maps, fc.boolean(), ({ base, lengths }, drained) => {
        const finished = rangesOf(base, lengths);
        expect(decodeCompletionMap(base, encodeCompletionMap(base, finished, drained))).toEqual({ finished, drained });
      }),
    );
  });

  it('is never larger than the bound that admission goes by', () => {
    fc.assert(
      fc.property(aMap({ min: 1, max: 120 }, 200), ({ base, lengths }) => {
        const finished = rangesOf(base, lengths);
        const bytes = Buffer.from(encodeCompletionMap(base, finished), 'base64').length;
        const span = (finished.at(-1)?.to ?? base) - base;
        expect(bytes).toBeLessThanOrEqual(mapBytesAtMost(span, finished.length));
      }),
    );
  });

  it('holds thousands of finished offsets in a form the broker takes', () => {
    const everySecond = Array.from({ length: 6_000 }, (_, i) => ({ from: 2 * i + 1, to: 2 * i + 2 }));
    expect(encodeCompletionMap(0, everySecond).length).toBeLessThanOrEqual(maxMapCharacters);
    expect(encodeCompletionMap(0, [{ from: 1, to: 10_000_000 }]).length).toBeLessThan(16);
  });

  it('refuses to be cut', () => {
    const tooMany = Array.from({ length: 60_000 }, (_, i) => ({ from: 2 * i + 1, to: 2 * i + 2 }));
    expect(() => encodeCompletionMap(0, tooMany)).toThrow(RangeError);
  });

  it('of nothing finished is not empty text', () => {
    expect(emptyCompletionMap).toBe('AQA=');
    expect(decodeCompletionMap(7, emptyCompletionMap)).toEqual({ finished: [], drained: false });
  });

  const bytes = (...all: number[]) => Buffer.from(all).toString('base64');
  it.each([
    ['no metadata', ''],
    ['not base64', 'not base64!'],
    ['base64 of a wrong length', 'AQA'],
    ['too short', bytes(1)],
    ['version 0', bytes(0, 0)],
    ['a version of the future', bytes(2, 0)],
    ['an unknown form', bytes(1, 6)],
    ['unknown flags', bytes(1, 0x80)],
    ['an empty map with a body', bytes(1, 0, 1)],
    ['runs without a run', bytes(1, 2)],
    ['half a run', bytes(1, 2, 5)],
    ['a run that begins at the committed offset', bytes(1, 2, 0, 5)],
    ['a run of no length', bytes(1, 2, 5, 0)],
    ['an endless number', bytes(1, 2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1)],
    ['a number that does not end', bytes(1, 2, 5, 128)],
    ['bits without a bit', bytes(1, 4, 0, 0)],
    ['a bit for the committed offset', bytes(1, 4, 1)],
    ['the text of another tool', 'consumer-1@host'],
  ])('refuses %s', (_, text) => {
    expect(() => decodeCompletionMap(100, text)).toThrow(UnreadableCompletionMap);
  });

  it('refuses any garbage with its own error or reads something well-formed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (garbage) => {
        try {
          const { finished } = decodeCompletionMap(10, Buffer.from(garbage).toString('base64'));
          let last = 10;
          for (const { from, to } of finished) {
            expect(from).toBeGreaterThan(last);
            expect(to).toBeGreaterThan(from);
            last = to;
          }
        } catch (error) {
          expect(error).toBeInstanceOf(UnreadableCompletionMap);
        }
      }),
    );
  });
});
