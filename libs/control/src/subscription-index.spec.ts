import type { Subscription } from '@tributary/contracts';
import { type CanonicalEvent, deliveryId } from '@tributary/domain';
import { describe, expect, it } from 'vitest';
import { SubscriptionIndex } from './subscription-index.js';

const aRow = (over: Partial<Subscription> = {}): Subscription => ({
  id: 'hires',
  tenant: 'acme',
  events: ['people.employee.onboarded'],
  filter: null,
  to: 'out',
  operation: 'post',
  mapping: null,
  version: 1,
  updatedAt: 0,
  updatedBy: 'ada',
  ...over,
});

const anEvent = (over: Partial<CanonicalEvent> = {}): CanonicalEvent => ({
  id: 'e1',
  source: '/acme/in',
  type: 'people.employee.onboarded',
  tenant: 'acme',
  data: { department: 'Engineering' },
  ...over,
});

function indexOf(...rows: Subscription[]) {
  const targets = new Map<string, { tenant: string; destination: string | null }>([
    ['out', { tenant: 'acme', destination: 'slack' }],
    ['in', { tenant: 'acme', destination: null }],
    ['theirs', { tenant: 'other', destination: 'slack' }],
    ['new', { tenant: 'acme', destination: 'pager' }],
  ]);
  const index = new SubscriptionIndex((id) => targets.get(id), ['slack']);
  for (const row of rows) index.put(row.id, row);
  return { index, targets };
}

describe('SubscriptionIndex', () => {
  it('plans one delivery for each subscription, in order of id', () => {
    const { index } = indexOf(
      aRow({ id: 'b' }),
      aRow({ id: 'a' }),
      aRow({ id: 'c', events: ['people.employee.left'] }),
    );
    const { deliveries, skipped } = index.route(anEvent());
    expect(deliveries.map(({ subscriptionId }) => subscriptionId)).toEqual(['a', 'b']);
    expect(deliveries[0]).toEqual({
      deliveryId: deliveryId('/acme/in', 'e1', 'a'),
      subscriptionId: 'a',
      connectionId: 'out',
      destination: 'slack',
      operation: 'post',
    });
    expect(skipped).toEqual([]);
  });

  it('never gives one tenant what belongs to another', () => {
    const { index } = indexOf(aRow());
    expect(index.route(anEvent({ tenant: 'other' }))).toEqual({ deliveries: [], skipped: [] });
  });

  it('plans one delivery though a type is named twice', () => {
    const type = 'people.employee.onboarded';
    expect(indexOf(aRow({ events: [type, type] })).index.route(anEvent()).deliveries).toHaveLength(1);
  });

  it.each<[string, Partial<Subscription>, RegExp]>([
    ['has no connection', { to: 'nowhere' }, /^inactive: connection nowhere does not exist$/],
    ['points to a source', { to: 'in' }, /^inactive: connection in is not a destination$/],
    ['points to another tenant', { to: 'theirs' }, /^inactive: connection theirs belongs to another tenant$/],
    [
      'points to what this build cannot serve',
      { to: 'new' },
      /^inactive: destination pager is not known to this build$/,
    ],
    ['has a filter that does not compile', { filter: 'event.' }, /^inactive: filter /],
    ['has a filter that does not match', { filter: 'event.department == "Sales"' }, /^filter$/],
    ['has a filter that cannot judge', { filter: 'event.salary > 5' }, /^filter failed: /],
    ['has a filter that gives no claim', { filter: 'event.department' }, /^filter failed: gave string/],
  ])('says why it passes over a subscription that %s, and serves the others', (_, over, reason) => {
    const { index } = indexOf(aRow(over), aRow({ id: 'z' }));
    const { deliveries, skipped } = index.route(anEvent());
    expect(skipped).toEqual([{ subscriptionId: 'hires', reason: expect.stringMatching(reason) }]);
    expect(deliveries.map(({ subscriptionId }) => subscriptionId)).toEqual(['z']);
  });

  it('needs data only where a filter looks into it', () => {
    const { index } = indexOf(aRow(), aRow({ id: 'f', events: ['people.employee.left'], filter: 'event.a == 1' }));
    expect(index.needsData('acme', 'people.employee.onboarded')).toBe(false);
    expect(index.needsData('acme', 'people.employee.left')).toBe(true);
    expect(index.needsData('other', 'people.employee.left')).toBe(false);
    expect(index.needsData('acme', 'nothing.of.this')).toBe(false);
  });

  it('forgets the types that a changed subscription no longer names', () => {
    const { index } = indexOf(aRow());
    index.put('hires', aRow({ events: ['people.employee.left'], operation: 'shout' }));
    expect(index.route(anEvent()).deliveries).toEqual([]);
    expect(index.route(anEvent({ type: 'people.employee.left' })).deliveries).toMatchObject([{ operation: 'shout' }]);
  });

  it('forgets a subscription that moved to another tenant, and one that was removed', () => {
    const { index } = indexOf(aRow(), aRow({ id: 'z' }));
    index.put('hires', aRow({ tenant: 'other' }));
    index.put('z', undefined);
    index.put('never-there', undefined);
    expect(index.route(anEvent())).toEqual({ deliveries: [], skipped: [] });
    expect(index.needsData('acme', 'people.employee.onboarded')).toBe(false);
  });

  it('wakes a subscription when its connection comes', () => {
    const { index, targets } = indexOf(aRow({ to: 'late' }));
    expect(index.route(anEvent()).deliveries).toEqual([]);
    targets.set('late', { tenant: 'acme', destination: 'slack' });
    expect(index.route(anEvent()).deliveries).toMatchObject([{ connectionId: 'late' }]);
  });
});
