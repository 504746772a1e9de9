import type { Clock, ClockTimer } from '../connection/clock.js';

interface Due {
  readonly atMs: number;
  readonly act: () => void;
}

/** Time that stands still until a test moves it. */
export class VirtualClock implements Clock {
  private timers: Due[] = [];

  constructor(private nowMs = 1_000_000) {}

  now(): number {
    return this.nowMs;
  }

  after(delayMs: number, act: () => void): ClockTimer {
    const due = { atMs: this.nowMs + Math.max(0, delayMs), act };
    this.timers.push(due);
    return {
      cancel: () => {
        this.timers = this.timers.filter((timer) => timer !== due);
      },
    };
  }

  /** Moves on, running timers in the order of their time; promises settle after each. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    await settled();
    for (let next = this.next(untilMs); next; next = this.next(untilMs)) {
      this.timers = this.timers.filter((timer) => timer !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.act();
      await settled();
    }
    this.nowMs = untilMs;
  }

  private next(untilMs: number): Due | undefined {
    return this.timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
  }
}

/** Lets everything run that waits for nothing but promises. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
