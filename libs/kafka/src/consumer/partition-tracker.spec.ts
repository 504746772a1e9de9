import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCompletionMap, maxMapBytes } from './completion-map.js';
import { PartitionTracker } from './partition-tracker.js';

/** Offsets with gaps, an order in which some of them finish, and how they are split into fetches. */
const history = fc.record({
  start: fc.integer({ min: 0, max: 1_000 }),
  gaps: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 60 }),
  order: fc.array(fc.nat(), { maxLength: 60 }),
  crashAt: fc.nat(),
});

describe('PartitionTracker', () => {
  it('commits exactly up to the first unfinished record, never back, and forgets nothing above it over a crash', () => {
    fc.assert(
      fc.property(history, ({ start, gaps, order, crashAt }) => {
        let next = start;
        const offsets = gaps.map((gap) => {
          next += gap;
          return next++;
        });
        const finished = new Set<number>();
        let tracker = new PartitionTracker(start);
        let positions = new Map(offsets.map((offset) => [offset, tracker.admit(offset)]));
        let last = tracker.watermark;
        order.forEach((pick, step) => {
          const offset = offsets[pick % offsets.length] as number;
          const position = positions.get(offset) as number;
          if (position >= 0) tracker.finish(position);
          finished.add(offset);
          if (step === crashAt % 60) {
            const map = decodeCompletionMap(tracker.watermark, tracker.completionMap(false));
            tracker = new PartitionTracker(tracker.watermark, map.finished);
            positions = new Map(offsets.map((o) => [o, tracker.admit(o)]));
            for (const [o, p] of positions) expect(p >= 0).toBe(!finished.has(o));
          }
          const expected = offsets.find((o) => !finished.has(o)) ?? tracker.knownEnd;
          expect(tracker.watermark).toBe(Math.max(expected, start));
          expect(tracker.watermark).toBeGreaterThanOrEqual(last);
          expect(tracker.unfinishedCount).toBe(offsets.filter((o) => !finished.has(o)).length);
          last = tracker.watermark;
        });
      }),
    );
  });

  it('ignores offsets that are fetched again', () => {
    const tracker = new PartitionTracker(10);
    expect(tracker.admit(10)).toBeGreaterThanOrEqual(0);
    expect(tracker.admit(10)).toBe(-1);
    expect(tracker.unfinishedCount).toBe(1);
  });

  it('goes past what a fetch proved absent', () => {
    const tracker = new PartitionTracker(0);
    const position = tracker.admit(0);
    tracker.noteFetchedUpTo(50);
    tracker.finish(position);
    expect(tracker.watermark).toBe(50);
  });

  it('keeps what the former owner finished, also while it is not fetched yet', () => {
    const tracker = new PartitionTracker(5, [
      { from: 7, to: 9 },
      { from: 20, to: 30 },
    ]);
    tracker.finish(tracker.admit(5));
    expect(tracker.watermark).toBe(6);
    expect(tracker.finishedRanges()).toEqual([
      { from: 7, to: 9 },
      { from: 20, to: 30 },
    ]);
    tracker.finish(tracker.admit(6));
    expect(tracker.watermark).toBe(9);
    expect(tracker.finishedRanges()).toEqual([{ from: 20, to: 30 }]);
    expect([7, 8].map((offset) => tracker.admit(offset))).toEqual([-1, -1]);
    expect(tracker.watermark).toBe(9);
  });

  it('finishing twice changes nothing', () => {
    const tracker = new PartitionTracker(0);
    const [first, second] = [tracker.admit(0), tracker.admit(1)];
    tracker.finish(second);
    tracker.finish(second);
    expect(tracker.unfinishedCount).toBe(1);
    tracker.finish(first);
    tracker.finish(first);
    expect(tracker.unfinishedCount).toBe(0);
    expect(tracker.watermark).toBe(2);
  });

  it('admits no more than the map can hold, however the rest finishes', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.boolean()), fc.integer({ min: 1, max: 40 }), (coin, every) => {
        const tracker = new PartitionTracker(0);
        const positions: number[] = [];
        for (let offset = 0; tracker.canAdmit(offset) && offset < 40_000; offset++) {
          const position = tracker.admit(offset);
          if (offset > 0 && offset % every !== 0) tracker.finish(position);
          else positions.push(position);
        }
        for (const position of positions.slice(1)) if (coin.next().value) tracker.finish(position);
        expect(Buffer.from(tracker.completionMap(false), 'base64').length).toBeLessThanOrEqual(maxMapBytes * 0.75);
      }),
      { numRuns: 20 },
    );
  });

  it('reads on for very long behind one blocked record', () => {
    const tracker = new PartitionTracker(0);
    tracker.admit(0);
    for (let offset = 1; offset <= 200_000; offset++) {
      expect(tracker.canAdmit(offset)).toBe(true);
      tracker.finish(tracker.admit(offset));
    }
    expect(tracker.watermark).toBe(0);
    expect(tracker.completionMap(false).length).toBeLessThan(20);
  });
});
