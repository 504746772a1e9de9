/** When a failed record is tried again. All times in milliseconds. */
export interface RetrySchedule {
  /** Short waits: the lane waits, others do not. */
  readonly inPlaceMs: readonly number[];
  /** Long waits that follow; the last one repeats until the age limit. */
  readonly laterMs: readonly number[];
  /** Longest time of trying, counted from the first failure; then the record is dead, class `expired`. */
  readonly maxAgeMs: number;
}

const seconds = (n: number) => n * 1000;
const minutes = (n: number) => n * 60_000;
const hours = (n: number) => n * 3_600_000;

export const defaultRetrySchedule: RetrySchedule = {
  inPlaceMs: [seconds(1), seconds(2), seconds(4)],
  laterMs: [seconds(30), minutes(5), hours(1)],
  maxAgeMs: hours(72),
};

/**
 * Wait after the given attempt (from 1) failed.
 * @param random in [0, 1): jitter adds up to 10 %, never subtracts, so nothing is sent before it is due.
 */
export function delayAfter(attempt: number, schedule: RetrySchedule, random: number): number {
  const waits = [...schedule.inPlaceMs, ...schedule.laterMs];
  const base = waits[Math.min(attempt, waits.length) - 1] ?? 0;
  return Math.round(base * (1 + random * 0.1));
}
