/** When calls to a destination stop by themselves, and how it is found out that they may go on. */
export interface BreakerRules {
  /** Opens after so many failures in a row. */
  readonly failuresInRow: number;
  /** Opens when this share of the last `window` calls failed. */
  readonly failureRatio: number;
  readonly window: number;
  /** Time without calls before the first probe; it doubles with each probe that fails. */
  readonly openMs: number;
  readonly longestOpenMs: number;
}

export const defaultBreakerRules: BreakerRules = {
  failuresInRow: 5,
  failureRatio: 0.5,
  window: 20,
  openMs: 1_000,
  longestOpenMs: 60_000,
};

export type BreakerState =
  /** `recent`: the last calls, true for a failure. */
  | { readonly kind: 'closed'; readonly recent: readonly boolean[] }
  | { readonly kind: 'open'; readonly untilMs: number; readonly openMs: number }
  /** One probe shows whether it works again. `isProbing`: it is under way. */
  | { readonly kind: 'half-open'; readonly openMs: number; readonly isProbing: boolean };

export const workingBreaker: BreakerState = { kind: 'closed', recent: [] };

/** Go, wait until a time, or wait until the probe has ended. */
export type BreakerVerdict = 'go' | 'probe' | 'await-probe' | { readonly waitUntilMs: number };

export function askBreaker(state: BreakerState, nowMs: number): BreakerVerdict {
  if (state.kind === 'closed') return 'go';
  if (state.kind === 'half-open') return state.isProbing ? 'await-probe' : 'probe';
  return nowMs < state.untilMs ? { waitUntilMs: state.untilMs } : 'probe';
}

/** After `probe`: it is under way. */
export function beginProbe(state: BreakerState): BreakerState {
  return state.kind === 'closed' ? state : { kind: 'half-open', openMs: state.openMs, isProbing: true };
}

/** What a call said: it worked (also when it was refused: they answer), it failed, or nothing could be learned. */
export type CallVerdict = 'worked' | 'failed' | 'unclear';

export interface CallFacts {
  readonly verdict: CallVerdict;
  readonly wasProbe: boolean;
  readonly nowMs: number;
  /** In [0, 1). */
  readonly random: number;
}

export function noteCall(state: BreakerState, facts: CallFacts, rules: BreakerRules): BreakerState {
  if (state.kind === 'closed') return noteWhileClosed(state.recent, facts, rules);
  // What was under way when it opened says nothing about now.
  if (!facts.wasProbe || state.kind === 'open') return state;
  if (facts.verdict === 'worked') return workingBreaker;
  if (facts.verdict === 'unclear') return { ...state, isProbing: false };
  return opened(Math.min(state.openMs * 2, rules.longestOpenMs), facts);
}

function noteWhileClosed(before: readonly boolean[], facts: CallFacts, rules: BreakerRules): BreakerState {
  if (facts.verdict === 'unclear') return { kind: 'closed', recent: before };
  const recent = [...before, facts.verdict === 'failed'].slice(-Math.max(rules.window, rules.failuresInRow));
  // Only a failure opens it: a ratio that was reached before is judged when it was.
  if (facts.verdict === 'worked') return { kind: 'closed', recent };
  const inRow = recent.length - 1 - recent.lastIndexOf(false);
  const window = recent.slice(-rules.window);
  const ratio = window.filter(Boolean).length / rules.window;
  const isTooMuch = inRow >= rules.failuresInRow || (window.length === rules.window && ratio >= rules.failureRatio);
  return isTooMuch ? opened(rules.openMs, facts) : { kind: 'closed', recent };
}

// Jitter only adds, and only to the moment: doubling goes by the plain time.
const opened = (openMs: number, { nowMs, random }: CallFacts): BreakerState => ({
  kind: 'open',
  openMs,
  untilMs: nowMs + Math.ceil(openMs * (1 + random * 0.1)),
});
