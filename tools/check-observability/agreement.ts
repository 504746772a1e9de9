import { metricCatalogue } from '@tributary/telemetry';

export interface GivenAnswer {
  readonly atMs: number;
  readonly status: number;
  readonly durationMs: number;
}

const boundaries: readonly number[] = metricCatalogue['delivery.attempt.duration'].buckets;

/** Share of answers that took the delivery. */
export const successIn = (answers: readonly GivenAnswer[]): number =>
  answers.filter(({ status }) => status >= 200 && status < 300).length / answers.length;

/**
 * The quantile that `histogram_quantile` would give for these times in the buckets of the metric: a place within a bucket is
 * interpolated, so that only two values that went through the same buckets can be held against each other.
 */
export function bucketedQuantile(share: number, seconds: readonly number[]): number {
  const rank = share * seconds.length;
  let below = 0;
  let lower = 0;
  for (const upper of boundaries) {
    const inside = seconds.filter((value) => value > lower && value <= upper).length;
    if (below + inside >= rank && inside > 0) return lower + ((upper - lower) * (rank - below)) / inside;
    below += inside;
    lower = upper;
  }
  return lower;
}

/** Without buckets, for whoever wants to know how much they hide. */
export function exactQuantile(share: number, seconds: readonly number[]): number {
  const sorted = [...seconds].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** How far two values are apart, as a share of the second. */
export const apart = (value: number, reference: number): number => Math.abs(value - reference) / reference;
