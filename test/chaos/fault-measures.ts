/** Something that took effect at the destination. */
export interface Arrival {
  /** What must stay in order. */
  readonly key: string;
  /** Place in the order in which the key's records were sent, from 0. */
  readonly n: number;
  readonly atMs: number;
}

export interface Losses {
  /** Sent records that never took effect. */
  readonly lost: number;
  /** Effects of a key after a later one of that key. */
  readonly inversions: number;
}

/** Compares what was sent, by key, with what arrived, in the order of arrival. */
export function lossesIn(sent: ReadonlyMap<string, number>, arrivals: readonly Arrival[]): Losses {
  const latest = new Map<string, number>();
  const seen = new Map<string, Set<number>>();
  let inversions = 0;
  for (const { key, n } of arrivals) {
    const before = latest.get(key) ?? -1;
    if (n < before) inversions += 1;
    latest.set(key, Math.max(before, n));
    seen.set(key, (seen.get(key) ?? new Set()).add(n));
  }
  let lost = 0;
  for (const [key, count] of sent) lost += count - (seen.get(key)?.size ?? 0);
  return { lost, inversions };
}

/** Longest time without an arrival of one lane, from its last before the start to the end; lanes that are silent throughout count whole. */
export function longestGapMs(atMsByLane: ReadonlyMap<string, readonly number[]>, fromMs: number, toMs: number): number {
  let longest = 0;
  for (const times of atMsByLane.values()) {
    const inside = times.filter((at) => at >= fromMs && at <= toMs);
    const points = [fromMs, ...inside, toMs];
    for (let i = 1; i < points.length; i++)
      longest = Math.max(longest, (points[i] as number) - (points[i - 1] as number));
  }
  return longest;
}

const rateWindowMs = 1_000;

/**
 * How long after the fault the full rate was there for good: the end of the last second in which less than `share` of the offered
 * rate arrived. 0: it never fell.
 */
export function timeToFullRateMs(
  arrivedAtMs: readonly number[],
  {
    faultAtMs,
    untilMs,
    perSecond,
    share = 0.9,
  }: { faultAtMs: number; untilMs: number; perSecond: number; share?: number },
): number {
  const times = [...arrivedAtMs].sort((a, b) => a - b);
  let slowUntilMs = faultAtMs;
  for (let startMs = faultAtMs; startMs + rateWindowMs <= untilMs; startMs += 100) {
    const count = firstAtOrAfter(times, startMs + rateWindowMs) - firstAtOrAfter(times, startMs);
    if (count < (perSecond * share * rateWindowMs) / 1000) slowUntilMs = startMs + rateWindowMs;
  }
  return slowUntilMs - faultAtMs;
}

function firstAtOrAfter(times: readonly number[], atMs: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) < atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
