import type { GatePolicy } from '../consumer/policy-gates.js';

/** So many attempts of an account at the same time. */
export function places(maxInFlight: number): GatePolicy {
  const underWay = new Map<string, number>();
  const of = (scope: string) => underWay.get(scope) ?? 0;
  return {
    admit: (_, scope) => {
      if (of(scope) >= maxInFlight)
        return { scope, kind: 'busy', untilMs: Number.POSITIVE_INFINITY, reason: 'all places are taken' };
      underWay.set(scope, of(scope) + 1);
      return undefined;
    },
    ended: (_, scope, nowMs) => {
      underWay.set(scope, of(scope) - 1);
      return [{ scope, kind: 'busy', untilMs: nowMs, reason: 'there is room' }];
    },
  };
}
