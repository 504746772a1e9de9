import { type DeliveryOutcome, defaultBreakerRules, type RateBudget } from '@tributary/domain';
import { scopeWithin } from '@tributary/kafka';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConnectionGates } from './connection-gates.js';
import { incoming } from './testing/world.js';

const delivery = (connection = 'out') =>
  incoming({ rawHeaders: { 'x-connection-id': connection, 'x-operation': 'post' } });

function gates({ scope = 'out', ...limits }: { maxInFlight?: number; rate?: RateBudget; scope?: string } = {}) {
  const told: Array<number | undefined> = [];
  const policy = new ConnectionGates({
    limitsOf: () => ({ maxInFlight: 3, rate: undefined, breaker: defaultBreakerRules, ...limits }),
    scopeOf: () => scope,
    random: () => 0,
    onBreaker: (_, untilMs) => told.push(untilMs),
  });
  /** One whole attempt. */
  const attempt = (outcome: DeliveryOutcome | undefined, nowMs: number) => {
    const record = delivery();
    const order = policy.admit(record, 'out', nowMs);
    if (order) return order;
    if (outcome) policy.note(record, { outcome }, nowMs);
    return policy.ended(record, 'out', nowMs);
  };
  return { policy, told, attempt };
}

const down: DeliveryOutcome = { kind: 'unavailable', reason: '500', code: '500' };
const breakerUntil = (untilMs: number) => ({ scope: 'out', kind: 'breaker', untilMs });

describe('ConnectionGates', () => {
  it('gives a connection its places, and each its own', () => {
    const { policy } = gates();
    const running = [delivery(), delivery(), delivery()];
    for (const record of running) expect(policy.admit(record, 'out', 0)).toBeUndefined();
    expect(policy.admit(delivery(), 'out', 0)).toMatchObject({ kind: 'busy', untilMs: Number.POSITIVE_INFINITY });
    expect(policy.admit(delivery('other'), 'other', 0)).toBeUndefined();
    // Somebody waits: the end of an attempt lets one ask again, and only then.
    expect(policy.ended(running[0] as never, 'out', 5)).toMatchObject([{ scope: 'out', kind: 'busy', untilMs: 5 }]);
    expect(policy.ended(running[1] as never, 'out', 5)).toEqual([]);
    expect(policy.admit(delivery(), 'out', 5)).toBeUndefined();
  });

  it('opens the breaker after failures in a row, probes once, doubles, and closes it again', () => {
    const { policy, attempt, told } = gates();
    for (let n = 0; n < 4; n++) expect(attempt(down, 0)).toEqual([]);
    expect(attempt(down, 0)).toMatchObject([breakerUntil(1_000)]);
    expect(attempt(down, 999)).toMatchObject(breakerUntil(1_000));
    expect(attempt(down, 1_000)).toMatchObject([breakerUntil(3_000)]);
    const probe = delivery();
    expect(policy.admit(probe, 'out', 3_000)).toBeUndefined();
    expect(policy.admit(delivery(), 'out', 3_000)).toMatchObject(breakerUntil(Number.POSITIVE_INFINITY));
    policy.note(probe, { outcome: { kind: 'delivered' } }, 3_010);
    expect(policy.ended(probe, 'out', 3_010)).toMatchObject([{ kind: 'busy', untilMs: 3_010 }]);
    expect(policy.admit(delivery(), 'out', 3_010)).toBeUndefined();
    expect(told).toEqual([1_000, 3_000, undefined]);
  });

  it('sends another probe when the first made no call', () => {
    const { attempt } = gates();
    for (let n = 0; n < 5; n++) attempt(down, 0);
    expect(attempt(undefined, 1_000)).toMatchObject([breakerUntil(1_000)]);
    expect(attempt({ kind: 'delivered' }, 1_000)).toMatchObject([{ kind: 'busy' }]);
  });

  it.each<[DeliveryOutcome, boolean]>([
    [{ kind: 'unavailable', reason: '503' }, true],
    [{ kind: 'unknown', reason: 'no answer' }, true],
    [{ kind: 'unavailable', reason: 'called off', code: 'ABORTED' }, false],
    [{ kind: 'unknown', reason: 'called off', code: 'ABORTED' }, false],
    [{ kind: 'throttled', retryAfterMs: 1 }, false],
    [{ kind: 'rejected', reason: 'no' }, false],
    [{ kind: 'unauthorized', reason: 'no' }, false],
    [{ kind: 'disabled', reason: 'no' }, false],
    [{ kind: 'delivered' }, false],
  ])('takes %j for a failure of the destination: %s', (outcome, isFailure) => {
    const { attempt } = gates({ maxInFlight: 100 });
    const orders = Array.from({ length: 5 }, () => attempt(outcome, 0)).flat();
    expect(orders.some(({ kind }) => kind === 'breaker')).toBe(isFailure);
  });

  it('keeps to a rate for each scope, and to what an answer says is left', () => {
    const { policy } = gates({ maxInFlight: 100, rate: { perSecond: 1, burst: 2 } });
    const [c1, c2] = [scopeWithin('out', 'channel:C1'), scopeWithin('out', 'channel:C2')];
    expect(policy.admit(delivery(), c1, 0)).toBeUndefined();
    expect(policy.admit(delivery(), c1, 0)).toBeUndefined();
    expect(policy.admit(delivery(), c1, 0)).toMatchObject({ scope: c1, kind: 'budget', untilMs: 1_000 });
    expect(policy.admit(delivery(), c2, 0)).toBeUndefined();
    const told = delivery();
    expect(policy.admit(told, 'out', 0)).toBeUndefined();
    policy.note(told, { outcome: { kind: 'delivered' }, budget: { remaining: 0, resetMs: 9_000 } }, 0);
    expect(policy.admit(delivery(), 'out', 8_999)).toMatchObject({ scope: 'out', kind: 'budget', untilMs: 9_000 });
    expect(policy.admit(delivery(), 'out', 9_000)).toBeUndefined();
  });

  it('lets nobody through from the answer on that asked for a pause, though its settlement takes a while', () => {
    const parts = { C1: scopeWithin('out', 'channel:C1'), C2: scopeWithin('out', 'channel:C2') };
    const { policy } = gates({ maxInFlight: 100 });
    const asked = delivery();
    expect(policy.admit(asked, 'out', 0)).toBeUndefined();
    policy.note(asked, { outcome: { kind: 'throttled', retryAfterMs: 5_000 } }, 10);
    for (const scope of ['out', parts.C1])
      expect(policy.admit(delivery(), scope, 5_009)).toMatchObject({ scope, kind: 'budget', untilMs: 5_010 });
    expect(policy.admit(delivery('other'), 'other', 11)).toBeUndefined();
    expect(policy.admit(delivery(), 'out', 5_010)).toBeUndefined();

    // Once it is settled, the gate that it closes counts, which a person may end earlier.
    policy.note(asked, { outcome: { kind: 'throttled', retryAfterMs: 90_000_000 } }, 6_000);
    policy.ended(asked, 'out', 6_050);
    expect(policy.admit(delivery(), 'out', 6_051)).toMatchObject({ kind: 'budget' });
    expect(policy.admit(delivery(), 'out', 7_050)).toBeUndefined();

    const ofPart = gates({ maxInFlight: 100, scope: parts.C1 }).policy;
    ofPart.admit(asked, parts.C1, 0);
    ofPart.note(asked, { outcome: { kind: 'throttled', retryAfterMs: 5_000 } }, 0);
    expect(ofPart.admit(delivery(), parts.C2, 1)).toBeUndefined();
    for (const scope of ['out', parts.C1])
      expect(ofPart.admit(delivery(), scope, 1)).toMatchObject({ scope, untilMs: 5_000 });
  });

  it('asks again within a minute when the rate is slow, because it may be changed', () => {
    const { attempt } = gates({ rate: { perSecond: 0.001, burst: 1 } });
    attempt({ kind: 'delivered' }, 0);
    expect(attempt(undefined, 0)).toMatchObject({ kind: 'budget', untilMs: 60_000 });
  });

  it('remembers no end of scopes that say nothing any more', () => {
    const { policy } = gates({ rate: { perSecond: 10, burst: 1 } });
    for (let n = 0; n < 30_000; n++) {
      const record = delivery();
      policy.admit(record, scopeWithin('out', `key:${n}`), n * 10);
      policy.ended(record, '', n * 10);
    }
    expect((policy as unknown as { budgets: Map<string, unknown> }).budgets.size).toBeLessThanOrEqual(10_000);
  });

  it('has nothing to say about a record that is no delivery', () => {
    const { policy } = gates();
    const record = incoming();
    expect(policy.admit(record, 'raw.test.v1:0:x', 0)).toBeUndefined();
    expect(policy.ended(record, 'raw.test.v1:0:x', 0)).toEqual([]);
  });

  it('never has more under way than it may, nor a probe beside another, whatever happens', () => {
    const step = fc.record({
      waitMs: fc.integer({ min: 0, max: 900 }),
      ends: fc.boolean(),
      outcome: fc.constantFrom<DeliveryOutcome | undefined>(down, down, { kind: 'delivered' }, undefined),
      at: fc.nat(10),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: 'max' }), (steps) => {
        const { policy, told } = gates();
        const running: ReturnType<typeof delivery>[] = [];
        let nowMs = 0;
        for (const { waitMs, ends, outcome, at } of steps) {
          nowMs += waitMs;
          if (ends) {
            const [record] = running.splice(at % Math.max(1, running.length), 1);
            if (!record) continue;
            if (outcome) policy.note(record, { outcome }, nowMs);
            policy.ended(record, 'out', nowMs);
            continue;
          }
          const record = delivery();
          const openUntilMs = told.at(-1);
          const order = policy.admit(record, 'out', nowMs);
          if (order) continue;
          running.push(record);
          expect(running.length).toBeLessThanOrEqual(3);
          if (openUntilMs === undefined) continue;
          expect(nowMs).toBeGreaterThanOrEqual(openUntilMs);
          expect(policy.admit(delivery(), 'out', nowMs)).toMatchObject({ untilMs: Number.POSITIVE_INFINITY });
        }
      }),
    );
  });
});
