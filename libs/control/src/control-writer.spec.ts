import type { AuditRecord, Connection } from '@tributary/contracts';
import { describe, expect, it } from 'vitest';
import { emptyControlTables } from './control-table.js';
import { ControlWriter, StalePlan } from './control-writer.js';
import { type Change, type Plan, planIntegrations } from './plan.js';

function world() {
  const tables = emptyControlTables();
  const written: Array<{ topic: string; key: string; value: unknown }> = [];
  const audits: AuditRecord[] = [];
  let now = 1000;
  const writer = new ControlWriter({
    tables,
    encode: async (_topic, _record, value) => Buffer.from(JSON.stringify(value)),
    send: async ({ topic, key, value }) => {
      const row = value === null ? undefined : (JSON.parse(value.toString()) as Connection);
      written.push({ topic, key, value: row ?? null });
      if (topic === 'control.connections.v1') tables.connections.put(key, row);
    },
    audit: async (record) => void audits.push(record),
    nowMs: () => now++,
    actor: 'ada',
  });
  const plan = (ids: readonly string[], prune = false): Plan =>
    planIntegrations(
      {
        connections: ids.map((id) => ({ id, tenant: 'acme', source: 'gusto', settings: {}, secrets: {} })),
        subscriptions: [],
        apiKeys: [],
      },
      { connections: tables.connections.all(), subscriptions: new Map(), apiKeys: new Map() },
      { actor: 'ada', nowMs: now++, prune, readSecret: () => '' },
    );
  return { tables, written, audits, writer, plan };
}

const bumped = (row: Connection | undefined): Connection => ({ ...row!, version: row!.version + 1 });

describe('ControlWriter', () => {
  it('writes each change and an audit record with who and why', async () => {
    const { writer, plan, written, audits } = world();
    await writer.apply(plan(['a', 'b']), 'first set-up');
    expect(written.map(({ key }) => key)).toEqual(['a', 'b']);
    expect(audits).toMatchObject([
      { action: 'applied', entity: 'connection:a', actor: 'ada', reason: 'first set-up', tenant: 'acme' },
      { action: 'applied', entity: 'connection:b' },
    ]);
  });

  it('removes with a tombstone', async () => {
    const { writer, plan, written, audits } = world();
    await writer.apply(plan(['a']), 'x');
    await writer.apply(plan([], true), 'not needed');
    expect(written.at(-1)).toEqual({ topic: 'control.connections.v1', key: 'a', value: null });
    expect(audits.at(-1)).toMatchObject({ action: 'removed', entity: 'connection:a', reason: 'not needed' });
  });

  it.each<[string, boolean, readonly string[]]>([
    ['an update', false, ['a']],
    ['a removal', true, []],
  ])('refuses %s of a row that somebody changed since it was planned', async (_, prune, ids) => {
    const { writer, plan, tables, written } = world();
    await writer.apply(plan(['a']), 'x');
    const stale: Plan = prune
      ? plan(ids, true)
      : { changes: [updateOf(tables.connections.get('a'))], unchanged: 0, notes: [] };
    tables.connections.put('a', bumped(tables.connections.get('a')));
    const before = written.length;
    await expect(writer.apply(stale, 'y')).rejects.toThrow(StalePlan);
    expect(written).toHaveLength(before);
  });

  it('refuses to create what somebody else created, and to update what somebody removed', async () => {
    const { writer, plan, tables } = world();
    const stale = plan(['a']);
    await writer.apply(plan(['a']), 'x');
    await expect(writer.apply(stale, 'y')).rejects.toThrow('connections a was changed by someone else');
    const update: Plan = { changes: [updateOf(tables.connections.get('a'))], unchanged: 0, notes: [] };
    tables.connections.put('a', undefined);
    await expect(writer.apply(update, 'y')).rejects.toThrow(StalePlan);
  });

  it('gives a row that is created again after its removal an audit record of its own', async () => {
    const { writer, plan, audits } = world();
    await writer.apply(plan(['a']), 'x');
    await writer.apply(plan([], true), 'x');
    await writer.apply(plan(['a']), 'x');
    expect(new Set(audits.map(({ auditId }) => auditId)).size).toBe(3);
  });

  it('ends a suspension with a tombstone, audited', async () => {
    const { writer, written, audits } = world();
    await writer.resume('out', 'token renewed');
    expect(written).toEqual([{ topic: 'control.suspensions.v1', key: 'out', value: null }]);
    expect(audits).toMatchObject([{ action: 'resumed', entity: 'connection:out', reason: 'token renewed' }]);
  });
});

function updateOf(row: Connection | undefined): Change {
  const next = bumped(row);
  return {
    table: 'connections',
    id: next.id,
    tenant: next.tenant,
    act: 'update',
    fields: [],
    seen: next.version - 1,
    row: next,
  };
}
