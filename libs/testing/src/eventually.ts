import { setTimeout as sleep } from 'node:timers/promises';

export interface EventuallyOptions {
  /** Default 10 s. */
  readonly timeoutMs?: number;
  /** Pause between tries. Default 50 ms. */
  readonly intervalMs?: number;
  /** What is waited for, for the failure message: "the delivery to arrive". */
  readonly what?: string;
}

/**
 * Waits until the condition holds: until it neither throws nor returns `false`. Resolves with what it returned, so
 * both a claim (`() => calls.length === 3`) and an assertion (`() => expect(calls).toHaveLength(3)`) will do.
 */
export async function eventually<T>(condition: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const { timeoutMs = 10_000, intervalMs = 50, what = 'the condition to hold' } = options;
  const deadline = performance.now() + timeoutMs;
  for (let tries = 1; ; tries++) {
    const attempt = await evaluate(condition);
    if (attempt.holds) return attempt.value;
    if (performance.now() >= deadline) {
      const message = `waited ${timeoutMs} ms (${tries} tries) for ${what}; last: ${attempt.complaint}`;
      throw new Error(message, { cause: attempt.cause });
    }
    await sleep(intervalMs);
  }
}

type Attempt<T> = { holds: true; value: T } | { holds: false; complaint: string; cause?: unknown };

async function evaluate<T>(condition: () => T | Promise<T>): Promise<Attempt<T>> {
  try {
    const value = await condition();
    return value === false ? { holds: false, complaint: 'it returned false' } : { holds: true, value };
  } catch (cause) {
    return { holds: false, complaint: cause instanceof Error ? cause.message : String(cause), cause };
  }
}
