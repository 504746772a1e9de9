/** Time as the runtime sees it. Tests bring their own. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Calls once after about `delayMs`; the caller compares `now()` before acting, because timers may be early by a millisecond. */
  after(delayMs: number, act: () => void): ClockTimer;
}

export interface ClockTimer {
  cancel(): void;
}

/** Longest delay a Node timer holds; a longer one would fire at once. */
const maxTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, act) {
    const timer = setTimeout(act, Math.min(Math.max(0, delayMs), maxTimerMs));
    return { cancel: () => clearTimeout(timer) };
  },
};

export const sleep = (clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
  });
