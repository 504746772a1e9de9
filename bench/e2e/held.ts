/** What a stage of constant load showed. */
export interface Stage {
  readonly rate: number;
  readonly seconds: number;
  readonly sent: number;
  readonly refused: number;
  /** Events a second whose last destination was called within the time of the load. */
  readonly achieved: number;
  /** Deliveries on their way, at equal distances in time. */
  readonly outstanding: readonly number[];
  /** From the last webhook to the last delivery; undefined: not within the limit. */
  readonly drainedMs: number | undefined;
}

const tolerance = 0.02;
const drainWithinMs = 5_000;
/** Deliveries of so many seconds may be on their way at the end without anybody calling it a growing backlog. */
const slackSeconds = 0.3;

/** Why a rate was not held; undefined: it was. */
export function whyNotHeld(stage: Stage, deliveriesPerEvent: number): string | undefined {
  const { rate, achieved, refused, drainedMs, outstanding } = stage;
  if (refused > 0) return `${refused} webhooks were not accepted`;
  if (achieved < rate * (1 - tolerance)) return `only ${achieved.toFixed(0)} events a second arrived`;
  const [early, late] = [mean(quarter(outstanding, 1)), mean(quarter(outstanding, 3))];
  if (late > early * 1.5 + rate * deliveriesPerEvent * slackSeconds)
    return `the backlog grew from ${early.toFixed(0)} to ${late.toFixed(0)} deliveries`;
  if (drainedMs === undefined || drainedMs > drainWithinMs) return 'it was not drained 5 s after the end';
  return undefined;
}

const quarter = (values: readonly number[], which: number): readonly number[] =>
  values.slice(Math.floor((values.length * which) / 4), Math.ceil((values.length * (which + 1)) / 4));

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Nearest rank. NaN of nothing. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
