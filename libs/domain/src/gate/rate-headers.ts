import { retryAfterMs } from '../retry-after.js';
import type { ObservedBudget } from './rate-budget.js';

type Headers = (name: string) => string | undefined;

const namePairs = [
  ['x-ratelimit-remaining', 'x-ratelimit-reset'],
  ['ratelimit-remaining', 'ratelimit-reset'],
] as const;

/**
 * What the customary headers say about the budget that is left: `X-RateLimit-Remaining` with `-Reset` (epoch seconds, seconds from now
 * or a date), the same without `X-`, or the structured `RateLimit: "name";r=3;t=12`. Undefined when they say nothing readable.
 */
export function readRateHeaders(header: Headers, nowMs: number): ObservedBudget | undefined {
  for (const [remainingName, resetName] of namePairs) {
    const remaining = wholeNumber(header(remainingName));
    const resetMs = resetTimeMs(header(resetName), nowMs);
    if (remaining !== undefined && resetMs !== undefined) return { remaining, resetMs };
  }
  return structured(header('ratelimit'), nowMs);
}

/** From this on a number of seconds cannot be a duration. */
const firstEpochSeconds = 1_000_000_000;

/** A point in time as vendors write it: epoch seconds, seconds from now, or a date. */
export function resetTimeMs(text: string | undefined, nowMs: number): number | undefined {
  const trimmed = text?.trim();
  if (!trimmed) return undefined;
  if (/^\d{1,13}(\.\d{1,9})?$/.test(trimmed)) {
    const seconds = Number(trimmed);
    return seconds >= firstEpochSeconds ? Math.ceil(seconds * 1000) : nowMs + Math.ceil(seconds * 1000);
  }
  const at = isoTimeMs(trimmed);
  if (at !== undefined) return at;
  const waitMs = retryAfterMs(trimmed, nowMs);
  return waitMs === undefined ? undefined : nowMs + waitMs;
}

// Also without seconds, as Jira writes it.
function isoTimeMs(text: string): number | undefined {
  const match = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?/.exec(text);
  if (!match) return undefined;
  const at = Date.parse(/(Z|[+-]\d{2}:?\d{2})$/.test(text) ? text : `${text}Z`);
  return Number.isNaN(at) ? undefined : at;
}

/** How long to wait when they refused and said it in their own way; undefined: they did not say. Never shorter than any of the headers. */
export function readPatience(header: Headers, nowMs: number): number | undefined {
  const said = [
    retryAfterMs(header('retry-after'), nowMs),
    retryAfterMs(header('x-ratelimit-retry-after'), nowMs),
  ].filter((ms) => ms !== undefined);
  if (said.length > 0) return Math.max(...said);
  const resetMs = resetTimeMs(header('x-ratelimit-reset') ?? header('ratelimit-reset'), nowMs);
  const budget = structured(header('ratelimit'), nowMs);
  const untilMs = resetMs ?? budget?.resetMs;
  return untilMs === undefined || untilMs <= nowMs ? undefined : untilMs - nowMs;
}

function structured(text: string | undefined, nowMs: number): ObservedBudget | undefined {
  if (!text || text.length > 500) return undefined;
  // Several policies may be listed: the one with the least left counts.
  const policies = text.split(',').flatMap((item) => {
    const remaining = wholeNumber(/;\s*r=(\d+)/.exec(item)?.[1]);
    const seconds = wholeNumber(/;\s*t=(\d+)/.exec(item)?.[1]);
    return remaining === undefined || seconds === undefined ? [] : [{ remaining, resetMs: nowMs + seconds * 1000 }];
  });
  return policies.sort((a, b) => a.remaining - b.remaining || b.resetMs - a.resetMs)[0];
}

const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\s*\d{1,12}\s*$/.test(text) ? Number(text) : undefined;
