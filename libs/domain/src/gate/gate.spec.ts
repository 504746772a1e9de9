import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  askBreaker,
  type BreakerState,
  beginProbe,
  type CallVerdict,
  noteCall,
  defaultBreakerRules as rules,
  workingBreaker,
} from './breaker.js';
import { askBudget, fullBudget, observeBudget, spend } from './rate-budget.js';

const call = (verdict: CallVerdict, over: { wasProbe?: boolean; nowMs?: number; random?: number } = {}) => ({
  verdict,
  wasProbe: false,
  nowMs: 0,
  random: 0,
  ...over,
});
const breakerAfter = (verdicts: readonly CallVerdict[]): BreakerState =>
  verdicts.reduce<BreakerState>((state, verdict) => noteCall(state, call(verdict), rules), workingBreaker);

describe('the breaker', () => {
  it.each<[string, CallVerdict[], BreakerState['kind']]>([
    ['four failures in a row', Array(4).fill('failed'), 'closed'],
    ['five failures in a row', Array(5).fill('failed'), 'open'],
    ['a success between', ['failed', 'failed', 'failed', 'failed', 'worked', 'failed'], 'closed'],
    ['every other call of twenty', Array.from({ length: 20 }, (_, i) => (i % 2 ? 'failed' : 'worked')), 'open'],
    ['every other call of eighteen', Array.from({ length: 18 }, (_, i) => (i % 2 ? 'failed' : 'worked')), 'closed'],
    ['one of three', Array.from({ length: 60 }, (_, i) => (i % 3 ? 'worked' : 'failed')), 'closed'],
    ['only what says nothing', Array(50).fill('unclear'), 'closed'],
  ])('%s', (_, verdicts, kind) => {
    expect(breakerAfter(verdicts).kind).toBe(kind);
  });

  it('lets one probe through when its time has come, and everybody when that worked', () => {
    const open = breakerAfter(Array(5).fill('failed'));
    expect(askBreaker(open, 999)).toEqual({ waitUntilMs: 1000 });
    expect(askBreaker(open, 1000)).toBe('probe');
    const probing = beginProbe(open);
    expect(askBreaker(probing, 5000)).toBe('await-probe');
    expect(askBreaker(noteCall(probing, call('worked', { wasProbe: true }), rules), 5000)).toBe('go');
  });

  it('doubles its time with every probe that fails, up to a bound', () => {
    let state = breakerAfter(Array(5).fill('failed'));
    const times: number[] = [];
    for (let n = 0; n < 8; n++) {
      state = noteCall(beginProbe(state), call('failed', { wasProbe: true, nowMs: 0 }), rules);
      times.push(state.kind === 'open' ? state.untilMs : -1);
    }
    expect(times).toEqual([2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  it('sends another probe when one said nothing, and is not moved by what was under way before it opened', () => {
    const probing = beginProbe(breakerAfter(Array(5).fill('failed')));
    expect(askBreaker(noteCall(probing, call('unclear', { wasProbe: true }), rules), 0)).toBe('probe');
    for (const verdict of ['worked', 'failed', 'unclear'] as const)
      expect(noteCall(probing, call(verdict), rules)).toBe(probing);
  });

  it('never calls while it is open, and has at most one probe under way, whatever happens', () => {
    const step = fc.record({
      waitMs: fc.integer({ min: 0, max: 5000 }),
      act: fc.constantFrom('ask', 'worked', 'failed', 'unclear'),
      random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let state: BreakerState = workingBreaker;
        let nowMs = 0;
        const running: boolean[] = [];
        for (const { waitMs, act, random } of steps) {
          nowMs += waitMs;
          if (act === 'ask') {
            const verdict = askBreaker(state, nowMs);
            if (verdict !== 'go' && verdict !== 'probe') continue;
            if (state.kind === 'open') expect(nowMs).toBeGreaterThanOrEqual(state.untilMs);
            if (verdict === 'probe') {
              expect(running.filter(Boolean)).toEqual([]);
              state = beginProbe(state);
            }
            running.push(verdict === 'probe');
          } else if (running.length > 0) {
            const wasProbe = running.shift() as boolean;
            state = noteCall(state, call(act, { wasProbe, nowMs, random }), rules);
            if (state.kind === 'open') expect(state.untilMs - nowMs).toBeLessThanOrEqual(rules.longestOpenMs * 1.1 + 1);
          }
        }
      }),
    );
  });
});

describe('the rate budget', () => {
  it('never lets more through in any stretch of time than the rate and one burst', () => {
    const rate = fc.record({
      perSecond: fc.double({ min: 0.1, max: 50, noNaN: true }),
      burst: fc.integer({ min: 1, max: 20 }),
    });
    fc.assert(
      fc.property(rate, fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 150 }), (budget, waits) => {
        let state = fullBudget(budget, 0);
        let nowMs = 0;
        const sentAt: number[] = [];
        for (const waitMs of waits) {
          nowMs += waitMs;
          const waitUntilMs = askBudget(state, nowMs);
          if (waitUntilMs !== undefined) {
            expect(waitUntilMs).toBeGreaterThan(nowMs);
            nowMs = waitUntilMs;
            expect(askBudget(state, nowMs)).toBeUndefined();
          }
          state = spend(state, nowMs);
          sentAt.push(nowMs);
        }
        sentAt.forEach((fromMs, first) => {
          sentAt.slice(first).forEach((toMs, more) => {
            expect(more + 1).toBeLessThanOrEqual(budget.burst + ((toMs - fromMs) * budget.perSecond) / 1000 + 1e-6);
          });
        });
      }),
    );
  });

  it('sends no more than an answer said is left, until its count begins anew', () => {
    let state = observeBudget(fullBudget(undefined, 0), { remaining: 5, resetMs: 10_000 }, { underWay: 2, nowMs: 0 });
    for (let n = 0; n < 3; n++) {
      expect(askBudget(state, n)).toBeUndefined();
      state = spend(state, n);
    }
    expect(askBudget(state, 9_999)).toBe(10_000);
    expect(askBudget(state, 10_000)).toBeUndefined();
  });

  it.each([
    ['a reset in the past', { remaining: 0, resetMs: 500 }],
    ['no number', { remaining: Number.NaN, resetMs: 5000 }],
    ['no time', { remaining: 0, resetMs: Number.NaN }],
    ['less than nothing', { remaining: -1, resetMs: 5000 }],
  ])('is not moved by %s', (_, observed) => {
    const state = observeBudget(fullBudget(undefined, 1000), observed, { underWay: 0, nowMs: 1000 });
    expect(askBudget(state, 1000)).toBeUndefined();
  });

  it('waits a quarter of an hour at most for what a header merely announces', () => {
    const said = { remaining: 0, resetMs: Number.MAX_SAFE_INTEGER };
    expect(askBudget(observeBudget(fullBudget(undefined, 0), said, { underWay: 0, nowMs: 0 }), 0)).toBe(900_000);
  });
});
