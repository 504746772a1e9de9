import type { ConnectionLimitsSpec } from '@tributary/control';
import { describe, expect, it } from 'vitest';
import { aDestination } from '../../../libs/connector-kit/src/testing/a-destination.js';
import { concurrencyOf, limitsFor } from './connection-limits.js';

const destination = aDestination({ limits: { maxInFlight: 8, timeoutMs: 1_000, rate: { perSecond: 5, burst: 5 } } });

function limits(own: ConnectionLimitsSpec | undefined, concurrency = 24) {
  const connection = { id: 'out', tenant: 'acme', definition: destination, settings: {}, secrets: {} };
  return limitsFor(destination, concurrency, () => ({
    kind: 'usable',
    connection: { ...connection, ...(own && { limits: own }) },
  }))('out', 'post');
}

describe('the limits of a connection', () => {
  it.each<[string, ConnectionLimitsSpec | undefined, object]>([
    ["the definition's where it says nothing", undefined, { maxInFlight: 8, rate: { perSecond: 5, burst: 5 } }],
    ['its own', { maxInFlight: 2, perSecond: 0.5, burst: 3 }, { maxInFlight: 2, rate: { perSecond: 0.5, burst: 3 } }],
    ["a burst of a second's worth", { perSecond: 9.5 }, { rate: { perSecond: 9.5, burst: 9 } }],
    ['a burst of one at least', { perSecond: 0.1 }, { rate: { perSecond: 0.1, burst: 1 } }],
  ])('are %s', (_, own, expected) => {
    expect(limits(own)).toMatchObject(expected);
  });

  it('leave a place for others whatever they say', () => {
    expect(limits({ maxInFlight: 1000 }).maxInFlight).toBe(18);
    expect(limits(undefined, 4).maxInFlight).toBe(3);
    expect(limits(undefined, 1).maxInFlight).toBe(1);
    expect(concurrencyOf(destination, 0)).toBe(24);
    expect(concurrencyOf(destination, 5)).toBe(5);
  });

  it('do not depend on a connection that cannot be used', () => {
    expect(limitsFor(destination, 24, () => ({ kind: 'unknown' }))('gone', 'post').maxInFlight).toBe(8);
  });
});
