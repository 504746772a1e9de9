import type { DeliveryOutcome, Failure, Settlement } from './outcome.js';
import { delayAfter, type RetrySchedule } from './retry-schedule.js';

/** What to do when a request was written and no answer came. */
export type UnknownOutcomePolicy = 'retry' | 'drop' | 'hold';

/**
 * What a dead letter means for its key. `hold`: what comes after it waits until a person redrives or discards it, so order is kept over
 * dead letters too.
 */
export type OnDead = 'continue' | 'hold';

export interface AttemptFacts {
  /** From 1. */
  readonly attempt: number;
  /** Epoch milliseconds of the first failed attempt of this record; undefined when none failed yet. */
  readonly firstFailureMs: number | undefined;
  /** Epoch milliseconds now. */
  readonly nowMs: number;
  /** In [0, 1). */
  readonly random: number;
}

export interface SettlementRules {
  readonly schedule: RetrySchedule;
  readonly unknownOutcome: UnknownOutcomePolicy;
}

/** The one place that decides what an outcome means. */
export function settle(outcome: DeliveryOutcome, facts: AttemptFacts, rules: SettlementRules): Settlement {
  switch (outcome.kind) {
    case 'delivered':
      return { to: 'commit' };
    case 'rejected':
      return { to: 'deadLetter', failure: failureOf('rejected', outcome) };
    case 'throttled':
      return settleThrottled(outcome, facts);
    case 'unauthorized':
    case 'disabled':
      return { to: 'suspend', failure: failureOf('unauthorized', outcome) };
    case 'unavailable':
      return retryOrExpire(failureOf('unavailable', outcome), facts, rules, outcome.retryAfterMs ?? 0);
    case 'unknown':
      return settleUnknown(failureOf('unknown-outcome', outcome), facts, rules);
    default:
      return unreachable(outcome);
  }
}

/** A longer pause is something that people should see, and say something about. */
const longestGateMs = 24 * 3_600_000;

function settleThrottled(
  outcome: Extract<DeliveryOutcome, { kind: 'throttled' }>,
  { nowMs, random }: AttemptFacts,
): Settlement {
  const { retryAfterMs } = outcome;
  const failure = failureOf('throttled', { ...outcome, reason: `asked to wait ${retryAfterMs} ms` });
  if (retryAfterMs > longestGateMs) return { to: 'suspend', failure, untilMs: nowMs + retryAfterMs };
  return { to: 'gate', closedForMs: withJitter(retryAfterMs, random), failure };
}

function settleUnknown(failure: Failure, facts: AttemptFacts, rules: SettlementRules): Settlement {
  switch (rules.unknownOutcome) {
    case 'retry':
      return retryOrExpire(failure, facts, rules, 0);
    // Not knowing is not success: a dropped repeat is kept where a person can look at it and redrive it.
    case 'drop':
      return { to: 'deadLetter', failure };
    case 'hold':
      return { to: 'suspend', failure };
    default:
      return unreachable(rules.unknownOutcome);
  }
}

function retryOrExpire(failure: Failure, facts: AttemptFacts, rules: SettlementRules, atLeastMs: number): Settlement {
  const delayMs = Math.max(
    delayAfter(facts.attempt, rules.schedule, facts.random),
    withJitter(atLeastMs, facts.random),
  );
  const triedForMs = facts.nowMs + delayMs - (facts.firstFailureMs ?? facts.nowMs);
  if (triedForMs > rules.schedule.maxAgeMs) return { to: 'deadLetter', failure: { ...failure, errorClass: 'expired' } };
  return { to: 'retry', delayMs, failure };
}

const withJitter = (ms: number, random: number): number => Math.ceil(ms * (1 + random * 0.1));

function failureOf(errorClass: Failure['errorClass'], from: { reason: string; code?: string }): Failure {
  return { errorClass, reason: from.reason, stage: 'send', ...(from.code !== undefined && { code: from.code }) };
}

export function unreachable(value: never): never {
  throw new TypeError(`no rule for ${JSON.stringify(value)}`);
}
