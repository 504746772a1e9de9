import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeliveryOutcome } from './outcome.js';
import { defaultRetrySchedule, delayAfter } from './retry-schedule.js';
import { type AttemptFacts, type SettlementRules, settle } from './settle.js';

const facts: AttemptFacts = { attempt: 1, firstFailureMs: undefined, nowMs: 1_000_000, random: 0 };
const rules: SettlementRules = { schedule: defaultRetrySchedule, unknownOutcome: 'retry' };

describe('settle', () => {
  it.each<[DeliveryOutcome, string]>([
    [{ kind: 'delivered' }, 'commit'],
    [{ kind: 'rejected', reason: 'no such channel' }, 'deadLetter'],
    [{ kind: 'throttled', retryAfterMs: 3000 }, 'gate'],
    [{ kind: 'unavailable', reason: '503' }, 'retry'],
    [{ kind: 'unauthorized', reason: 'revoked' }, 'suspend'],
    [{ kind: 'disabled', reason: '410' }, 'suspend'],
    [{ kind: 'unknown', reason: 'no answer' }, 'retry'],
  ])('%j means %s', (outcome, to) => {
    expect(settle(outcome, facts, rules).to).toBe(to);
  });

  it.each([
    ['retry', 'retry'],
    ['drop', 'deadLetter'],
    ['hold', 'suspend'],
  ] as const)('an unknown outcome under the policy %s means %s', (unknownOutcome, to) => {
    expect(settle({ kind: 'unknown', reason: 'reset' }, facts, { ...rules, unknownOutcome }).to).toBe(to);
  });

  it('gives up when the next attempt would pass the age limit, and says so', () => {
    const old = { ...facts, attempt: 80, firstFailureMs: facts.nowMs - defaultRetrySchedule.maxAgeMs };
    expect(settle({ kind: 'unavailable', reason: '503' }, old, rules)).toMatchObject({
      to: 'deadLetter',
      failure: { errorClass: 'expired', reason: '503' },
    });
  });

  it('never waits less than the schedule or than the destination asked for', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 0, max: 3_600_000 }),
        (attempt, random, retryAfterMs) => {
          const gate = settle({ kind: 'throttled', retryAfterMs }, { ...facts, random }, rules);
          expect(
            gate.to === 'gate' && gate.closedForMs >= retryAfterMs && gate.closedForMs <= retryAfterMs * 1.1 + 1,
          ).toBe(true);
          const retry = settle(
            { kind: 'unavailable', reason: 'x', retryAfterMs },
            { ...facts, attempt, random },
            rules,
          );
          const least = delayAfter(attempt, defaultRetrySchedule, 0);
          expect(retry.to === 'retry' && retry.delayMs >= least && retry.delayMs >= retryAfterMs).toBe(true);
        },
      ),
    );
  });

  it('waits 1, 2, 4 s, then 30 s, 5 min, 1 h, then hourly', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 50].map((attempt) => delayAfter(attempt, defaultRetrySchedule, 0) / 1000);
    expect(waits).toEqual([1, 2, 4, 30, 300, 3600, 3600, 3600]);
  });
});
