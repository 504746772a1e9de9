import { text } from '@tributary/connector-kit';
import type { Subscription } from '@tributary/contracts';
import type { ConnectionLookup } from '@tributary/control';
import { describe, expect, it } from 'vitest';
import { aDestination } from '../../connector-kit/src/testing/a-destination.js';
import { DeliveryScopes } from './delivery-scopes.js';
import { incoming } from './testing/world.js';

const destination = aDestination({
  settings: { channel: text('Channel.', { example: 'C1' }) },
  limits: { maxInFlight: 1, timeoutMs: 1_000, scope: { resource: 'channel', namedBy: 'channel' } },
});

const usable = {
  kind: 'usable',
  connection: { id: 'out', tenant: 'acme', definition: destination, settings: { channel: 'C1' }, secrets: {} },
} as unknown as ConnectionLookup<typeof destination>;

function scopeWith(over: { found?: ConnectionLookup<typeof destination>; mapping?: string | null | 'removed' } = {}) {
  const { found = usable, mapping = null } = over;
  const subscription = mapping === 'removed' ? undefined : ({ id: 's1', mapping } as Subscription);
  const scopes = new DeliveryScopes({
    destination: destination as never,
    find: () => found as never,
    subscriptionOf: () => subscription,
  });
  const rawHeaders = { 'x-connection-id': 'out', 'x-subscription-id': 's1', 'x-operation': 'post' };
  // Without its value: a parked record is known by its headers.
  return scopes.scopeOf(incoming({ rawHeaders, value: null }));
}

describe('the scope of a delivery', () => {
  it.each([
    ['the channel of the settings', {}, 'out›channel:C1'],
    ['the channel of a mapping', { mapping: `{"channel":"'C2'"}` }, 'out›channel:C2'],
    ['the connection when the event names the channel', { mapping: '{"channel":"data.channel"}' }, 'out'],
    ['the connection when the subscription is gone', { mapping: 'removed' as const }, 'out'],
    ['the connection when that cannot be used', { found: { kind: 'unknown' } as const }, 'out'],
  ])('is %s', (_, over, scope) => {
    expect(scopeWith(over)).toBe(scope);
  });

  it('of a record that is no delivery is nothing, and does not fail', () => {
    const scopes = new DeliveryScopes({
      destination: destination as never,
      find: () => ({ kind: 'unknown' }),
      subscriptionOf: () => undefined,
    });
    expect(scopes.scopeOf(incoming())).toBe('');
  });
});
