import type { TopicDefinition } from '@tributary/contracts';
import { InfrastructureUnavailable } from '@tributary/domain';
import { describe, expect, it } from 'vitest';
import { ControlTable, type DecodeRow, type FollowTopic, followControlTables } from './control-table.js';

/** A compacted topic that tests write to; what it is told is handled one after the other, as the real reader does. */
function fakeTopics(before: Readonly<Record<string, ReadonlyArray<readonly [string, Buffer | null]>>> = {}) {
  const readers = new Map<string, (key: string, value: Buffer | null) => Promise<void>>();
  const closed: string[] = [];
  const follow: FollowTopic = async ({ name }: TopicDefinition, onRecord) => {
    readers.set(name, onRecord);
    for (const [key, value] of before[name] ?? []) await onRecord(key, value);
    return { close: async () => void closed.push(name) };
  };
  const write = (topic: string, key: string, value: Buffer | null) => readers.get(topic)?.(key, value);
  return { follow, write, readers, closed };
}

const json = (value: object) => Buffer.from(JSON.stringify(value));
const decodeJson: DecodeRow = async (value) => JSON.parse(value.toString());
const noneUnreadable = (table: string, id: string, error: Error) => {
  throw new Error(`${table} ${id} was said to be unreadable`, { cause: error });
};
const connections = 'control.connections.v1';

describe('followControlTables', () => {
  it('is complete when it resolves: the last row of each id, without those that were removed', async () => {
    const topic = fakeTopics({
      [connections]: [
        ['a', json({ id: 'a', version: 1 })],
        ['b', json({ id: 'b', version: 1 })],
        ['a', json({ id: 'a', version: 2 })],
        ['b', null],
      ],
    });
    const { tables } = await followControlTables(
      ['connections', 'subscriptions'],
      topic.follow,
      decodeJson,
      noneUnreadable,
    );
    expect([...tables.connections.all().values()]).toEqual([{ id: 'a', version: 2 }]);
    expect(tables.subscriptions.all().size).toBe(0);
  });

  it('reads only what was asked for', async () => {
    const { follow, readers } = fakeTopics();
    await followControlTables(['suspensions'], follow, decodeJson, noneUnreadable);
    expect([...readers.keys()]).toEqual(['control.suspensions.v1']);
  });

  it('follows afterwards and tells who listens', async () => {
    const topic = fakeTopics();
    const { tables } = await followControlTables(['connections'], topic.follow, decodeJson, noneUnreadable);
    const told: unknown[] = [];
    tables.connections.onChange((id, row) => told.push([id, row]));
    await topic.write(connections, 'a', json({ id: 'a' }));
    await topic.write(connections, 'a', null);
    expect(told).toEqual([
      ['a', { id: 'a' }],
      ['a', undefined],
    ]);
  });

  it('says which row this build cannot read, keeps the one it had, and goes on', async () => {
    const topic = fakeTopics({ [connections]: [['a', json({ id: 'a', version: 1 })]] });
    const unreadable: unknown[] = [];
    const { tables } = await followControlTables(['connections'], topic.follow, decodeJson, (table, id) =>
      unreadable.push([table, id]),
    );
    await topic.write(connections, 'a', Buffer.from('not json'));
    await topic.write(connections, 'b', json({ id: 'b' }));
    expect(unreadable).toEqual([['connections', 'a']]);
    expect([...tables.connections.all().keys()]).toEqual(['a', 'b']);
    expect(tables.connections.get('a')).toMatchObject({ version: 1 });
  });

  it('waits for the registry instead of leaving a row out', async () => {
    let answers = 0;
    const decode: DecodeRow = async (value, record) => {
      if (answers++ === 0) throw new InfrastructureUnavailable('the registry');
      return decodeJson(value, record);
    };
    const topic = fakeTopics({ [connections]: [['a', json({ id: 'a' })]] });
    const { tables } = await followControlTables(['connections'], topic.follow, decode, noneUnreadable);
    expect(tables.connections.get('a')).toEqual({ id: 'a' });
    expect(answers).toBe(2);
  });

  it('can be closed while the registry is away', async () => {
    const decode: DecodeRow = async () => {
      throw new InfrastructureUnavailable('the registry');
    };
    const topic = fakeTopics();
    const followed = await followControlTables(['connections'], topic.follow, decode, noneUnreadable);
    const reading = topic.write(connections, 'a', json({ id: 'a' }));
    await followed.close();
    await reading;
    expect(topic.closed).toEqual([connections]);
    expect(followed.tables.connections.all().size).toBe(0);
  });
});

describe('ControlTable', () => {
  it('tells every listener of every change, removals of nothing included', () => {
    const table = new ControlTable<string>();
    const first: unknown[] = [];
    const second: unknown[] = [];
    table.onChange((id, row) => first.push([id, row]));
    table.onChange((id, row) => second.push([id, row]));
    table.put('a', 'x');
    table.put('b', undefined);
    expect(first).toEqual([
      ['a', 'x'],
      ['b', undefined],
    ]);
    expect(second).toEqual(first);
  });
});
