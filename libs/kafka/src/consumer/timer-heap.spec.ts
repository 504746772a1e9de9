import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../connection/clock.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { TimerHeap } from './timer-heap.js';

describe('TimerHeap', () => {
  it('runs every timer that is not cancelled, in order of time, at its time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.boolean()), { maxLength: 60 }),
        async (delays) => {
          const clock = new VirtualClock(0);
          const heap = new TimerHeap(clock);
          const ran: [atMs: number, nowMs: number][] = [];
          const timers = delays.map(([at]) => heap.at(at, () => ran.push([at, clock.now()])));
          delays.forEach(([, isCancelled], i) => {
            const timer = timers[i];
            if (timer) timer.cancelled = isCancelled;
          });
          await clock.advance(500);
          const expected = delays
            .filter(([, isCancelled]) => !isCancelled)
            .map(([at]) => at)
            .sort((a, b) => a - b);
          expect(ran.map(([at]) => at)).toEqual(expected);
          for (const [at, now] of ran) expect(now).toBe(at);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('does not act when the clock wakes it too early', async () => {
    const clock = new VirtualClock(0);
    const hasty: Clock = { now: () => clock.now(), after: (ms, act) => clock.after(ms > 5 ? ms - 1 : ms, act) };
    const heap = new TimerHeap(hasty);
    const ran: number[] = [];
    heap.at(10, () => ran.push(clock.now()));
    await clock.advance(9);
    expect(ran).toEqual([]);
    await clock.advance(1);
    expect(ran).toEqual([10]);
  });
});
