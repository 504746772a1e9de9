import type { ApiKey, Connection, Subscription } from '@tributary/contracts';
import { sha256Hex } from '@tributary/domain';
import { describe, expect, it } from 'vitest';
import type { Integrations } from './integration-file.js';
import { type AppliedState, type Plan, planIntegrations } from './plan.js';

const wanted: Integrations = {
  connections: [{ id: 'out', tenant: 'acme', destination: 'slack', settings: { channel: 'C1' }, secrets: {} }],
  subscriptions: [{ id: 'hires', tenant: 'acme', events: ['people.employee.onboarded'], to: 'out', operation: 'post' }],
  apiKeys: [{ id: 'shop', tenant: 'acme', key: 'env:KEY', scopes: ['publish'] }],
};
const nothing: AppliedState = { connections: new Map(), subscriptions: new Map(), apiKeys: new Map() };

const plan = (over: Partial<Integrations>, applied: AppliedState, prune = false): Plan =>
  planIntegrations({ ...wanted, ...over }, applied, {
    actor: 'ada',
    nowMs: 1000,
    prune,
    readSecret: (reference) => `shop.plain of ${reference}`,
  });

/** What the control topics hold after a plan was applied. */
function onceApplied(applied: AppliedState, { changes }: Plan): AppliedState {
  const next = {
    connections: new Map(applied.connections),
    subscriptions: new Map(applied.subscriptions),
    apiKeys: new Map(applied.apiKeys),
  };
  for (const { table, id, row } of changes) {
    if (row === null) next[table].delete(id);
    else if (table === 'connections') next.connections.set(id, row as Connection);
    else if (table === 'subscriptions') next.subscriptions.set(id, row as Subscription);
    else next.apiKeys.set(id, row as ApiKey);
  }
  return next;
}

describe('a plan', () => {
  it('creates what is missing, at version 1, and keeps only a hash of a key', () => {
    const { changes, unchanged } = plan({}, nothing);
    expect(changes.map(({ table, act, id }) => [table, act, id])).toEqual([
      ['connections', 'create', 'out'],
      ['subscriptions', 'create', 'hires'],
      ['apiKeys', 'create', 'shop'],
    ]);
    expect(changes[0]?.row).toMatchObject({ version: 1, updatedAt: 1000, updatedBy: 'ada', source: null });
    expect(changes[2]?.row).toMatchObject({ hash: sha256Hex('shop.plain of env:KEY') });
    expect(JSON.stringify(changes)).not.toContain('plain of');
    expect(unchanged).toBe(0);
  });

  it('refuses an API key that no request could be matched to', () => {
    const other = { id: 'store', tenant: 'acme', key: 'env:KEY', scopes: ['publish'] };
    const refused = () => plan({ apiKeys: [other] }, nothing);
    expect(refused).toThrow(/must begin with "store\."/);
    expect(refused).not.toThrow(/plain of/);
  });

  it('changes nothing the second time', () => {
    const applied = onceApplied(nothing, plan({}, nothing));
    expect(plan({}, applied)).toEqual({ changes: [], unchanged: 3, notes: [] });
  });

  it('names the fields that differ and raises the version each time', () => {
    const first = onceApplied(nothing, plan({}, nothing));
    const moved = { connections: [{ ...wanted.connections[0]!, settings: { channel: 'C2' } }] };
    const second = plan(moved, first);
    expect(second.changes).toMatchObject([{ act: 'update', fields: ['settings'], seen: 1, row: { version: 2 } }]);
    expect(second.unchanged).toBe(2);
    const third = plan({}, onceApplied(first, second));
    expect(third.changes).toMatchObject([{ act: 'update', seen: 2, row: { version: 3 } }]);
  });

  it('keeps what a connection says otherwise than its definition, and sees it change', () => {
    const [out] = wanted.connections as [Integrations['connections'][number]];
    const limited = {
      connections: [{ ...out, unknownOutcome: 'hold' as const, onDead: 'hold' as const, limits: { perSecond: 2 } }],
    };
    const first = plan(limited, nothing);
    expect(first.changes[0]?.row).toMatchObject({ unknownOutcome: 'hold', onDead: 'hold', limits: '{"perSecond":2}' });
    const back = plan({}, onceApplied(nothing, first));
    expect(back.changes).toMatchObject([{ fields: ['unknownOutcome', 'limits', 'onDead'], row: { onDead: null } }]);
    const forced = { connections: [{ ...out, unknownOutcome: 'retry-although-it-may-repeat' as const }] };
    expect(plan(forced, nothing).changes[0]?.row).toMatchObject({ unknownOutcome: 'retry', limits: null });
  });

  it('deletes what is in no file only when told to prune', () => {
    const applied = onceApplied(nothing, plan({}, nothing));
    expect(plan({ subscriptions: [] }, applied).changes).toEqual([]);
    expect(plan({ subscriptions: [] }, applied, true).changes).toEqual([
      { table: 'subscriptions', id: 'hires', tenant: 'acme', act: 'delete', fields: [], seen: 1, row: null },
    ]);
  });

  it('says that a subscription is inactive while its connection is missing', () => {
    expect(plan({ connections: [] }, nothing).notes).toEqual([
      'subscription hires is inactive: connection out does not exist',
    ]);
    const applied = onceApplied(nothing, plan({}, nothing));
    expect(plan({ connections: [] }, applied).notes).toEqual([]);
  });

  it('says so too when it is the pruning that takes the connection away', () => {
    const applied = onceApplied(nothing, plan({}, nothing));
    expect(plan({ connections: [] }, applied, true).notes).toEqual([
      'subscription hires is inactive: connection out does not exist',
    ]);
  });
});
