/** How much a destination takes: so many calls a second on average, and so many at once after a pause. */
export interface RateBudget {
  readonly perSecond: number;
  readonly burst: number;
}

/** What an answer said about the budget that is left. */
export interface ObservedBudget {
  readonly remaining: number;
  /** Epoch milliseconds at which the count begins anew. */
  readonly resetMs: number;
}

export interface BudgetState {
  /** Undefined: no rate is known, only what answers say counts. */
  readonly rate: RateBudget | undefined;
  readonly tokens: number;
  /** Epoch milliseconds for which `tokens` holds. */
  readonly atMs: number;
  readonly observed: ObservedBudget | undefined;
}

/** Longer than that nobody waits for what a header merely announces; a refusal says for itself how long. */
const longestObservedMs = 15 * 60_000;

export const fullBudget = (rate: RateBudget | undefined, nowMs: number): BudgetState => ({
  rate,
  tokens: rate?.burst ?? 0,
  atMs: nowMs,
  observed: undefined,
});

/** Epoch milliseconds before which nothing more may be sent; undefined: now. */
export function askBudget(state: BudgetState, nowMs: number): number | undefined {
  const { rate, observed, tokens } = refilled(state, nowMs);
  const observedMs = observed && observed.remaining < 1 ? observed.resetMs : undefined;
  // Rounded up, so that the token is whole when it is asked for again.
  const tokenMs =
    rate && tokens < 1 ? nowMs + Math.max(1, Math.ceil(((1 - tokens) / rate.perSecond) * 1000)) : undefined;
  if (observedMs === undefined || tokenMs === undefined) return observedMs ?? tokenMs;
  return Math.max(observedMs, tokenMs);
}

export interface BudgetLeft {
  /** Calls that may be made at once. */
  readonly calls: number;
  /** Milliseconds until what answers said is left begins anew; undefined: they said nothing that still holds. */
  readonly resetInMs: number | undefined;
}

/** What may be sent without a wait; undefined: nothing limits it now. */
export function budgetLeft(state: BudgetState, nowMs: number): BudgetLeft | undefined {
  const { rate, observed, tokens } = refilled(state, nowMs);
  if (!rate && !observed) return undefined;
  const calls = Math.min(rate ? tokens : Number.POSITIVE_INFINITY, observed?.remaining ?? Number.POSITIVE_INFINITY);
  return { calls: Math.floor(calls), resetInMs: observed && observed.resetMs - nowMs };
}

/** One call was let through. */
export function spend(state: BudgetState, nowMs: number): BudgetState {
  const now = refilled(state, nowMs);
  const { rate, observed } = now;
  return {
    ...now,
    tokens: rate ? Math.max(0, now.tokens - 1) : 0,
    observed: observed && { ...observed, remaining: Math.max(0, observed.remaining - 1) },
  };
}

/** @param underWay calls whose answer may not be part of the count yet. */
export function observeBudget(
  state: BudgetState,
  { remaining, resetMs }: ObservedBudget,
  { underWay, nowMs }: { readonly underWay: number; readonly nowMs: number },
): BudgetState {
  const now = refilled(state, nowMs);
  if (!(resetMs > nowMs) || !(remaining >= 0)) return now;
  const until = Math.min(resetMs, nowMs + longestObservedMs);
  return { ...now, observed: { remaining: Math.max(0, Math.floor(remaining) - underWay), resetMs: until } };
}

function refilled(state: BudgetState, nowMs: number): BudgetState {
  const { rate, tokens, observed } = state;
  const passedMs = Math.max(0, nowMs - state.atMs);
  return {
    rate,
    tokens: rate ? Math.min(rate.burst, tokens + (passedMs * rate.perSecond) / 1000) : 0,
    atMs: Math.max(nowMs, state.atMs),
    observed: observed && observed.resetMs > nowMs ? observed : undefined,
  };
}
