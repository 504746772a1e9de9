import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SecretReader } from '@tributary/config';
import { flag, secret, text } from '@tributary/connector-kit';
import type { Connection } from '@tributary/contracts';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ConnectionDirectory } from './connection-directory.js';
import { ControlTable } from './control-table.js';

const definition = {
  slug: 'slack',
  settings: { channel: text('The channel.'), pending: flag('Waits for its handshake.') },
  secrets: { token: secret('The token.') },
};

const aRow = (over: Partial<Connection> = {}): Connection => ({
  id: 'out',
  tenant: 'acme',
  source: null,
  destination: 'slack',
  settings: '{"channel":"C1"}',
  secrets: '{"token":["env:TOKEN"]}',
  unknownOutcome: null,
  limits: null,
  onDead: null,
  version: 1,
  updatedAt: 0,
  updatedBy: 'ada',
  ...over,
});

function world(environment: Record<string, string> = { TOKEN: 'hunter2' }) {
  const table = new ControlTable<Connection>();
  const clock = { now: 0 };
  const directory = new ConnectionDirectory(
    table,
    (row) => (row.destination === 'slack' ? definition : row.destination === null ? 'other-side' : undefined),
    new SecretReader(undefined, environment),
    () => clock.now,
  );
  return { table, directory, clock, environment };
}

describe('ConnectionDirectory', () => {
  it('finds a connection with its settings parsed and its secrets read', () => {
    const { table, directory } = world();
    table.put('out', aRow());
    expect(directory.find('out')).toEqual({
      kind: 'usable',
      connection: {
        id: 'out',
        tenant: 'acme',
        definition,
        settings: { channel: 'C1', pending: false },
        secrets: { token: ['hunter2'] },
      },
    });
  });

  it('knows nothing of what is not there, of the other side, and of what was removed', () => {
    const { table, directory } = world();
    table.put('out', aRow());
    table.put('in', aRow({ id: 'in', destination: null, source: 'gusto' }));
    expect(directory.find('nowhere')).toEqual({ kind: 'unknown' });
    expect(directory.find('in')).toEqual({ kind: 'unknown' });
    expect(directory.find('out').kind).toBe('usable');
    table.put('out', undefined);
    expect(directory.find('out')).toEqual({ kind: 'unknown' });
  });

  it.each<[string, Partial<Connection>, RegExp]>([
    ['a definition that this build lacks', { destination: 'pager' }, /pager is not known to this build/],
    ['a missing setting', { settings: '{}' }, /settings\.channel is missing/],
    ['a secret that cannot be had', { secrets: '{"token":["env:OTHER"]}' }, /secret token: .*OTHER is not set/],
    ['no secret', { secrets: '{}' }, /secrets\.token is missing/],
    ['settings that are not JSON', { settings: '{' }, /its row is not readable/],
    ['secrets that are not JSON', { secrets: 'x' }, /its row is not readable/],
    ['secrets that are null', { secrets: 'null' }, /its row is not readable/],
    ['a secret that is no list', { secrets: '{"token":"env:TOKEN"}' }, /its row is not readable/],
    ['a secret that is a number', { secrets: '{"token":[5]}' }, /its row is not readable/],
    ['limits that are not JSON', { limits: '{' }, /limits/],
    ['limits that let nothing through', { limits: '{"perSecond":0}' }, /limits/],
    ['limits that are a list', { limits: '[1]' }, /limits/],
    ['another onDead', { onDead: 'perhaps' }, /onDead/],
    ['limits of another kind', { limits: '{"perSecond":"5"}' }, /limits/],
    ['a policy that this build lacks', { unknownOutcome: 'guess' }, /unknownOutcome/],
  ])('makes a connection with %s unusable, and that one alone', (_, over, reason) => {
    const { table, directory } = world();
    table.put('out', aRow(over));
    table.put('well', aRow({ id: 'well' }));
    expect(directory.find('out')).toEqual({ kind: 'unusable', tenant: 'acme', reason: expect.stringMatching(reason) });
    expect(directory.find('well').kind).toBe('usable');
  });

  it('says what the connection says otherwise than its definition', () => {
    const { table, directory } = world();
    table.put('out', aRow({ unknownOutcome: 'hold', onDead: 'hold', limits: '{"perSecond":2}' }));
    expect(directory.find('out')).toMatchObject({
      connection: { unknownOutcome: 'hold', onDead: 'hold', limits: { perSecond: 2 } },
    });
  });

  it('reads secrets anew when asked to', () => {
    const { table, directory, environment } = world();
    table.put('out', aRow());
    directory.find('out');
    environment.TOKEN = 'rotated';
    expect(directory.find('out')).toMatchObject({ connection: { secrets: { token: ['hunter2'] } } });
    expect(directory.findAnew('out')).toMatchObject({ connection: { secrets: { token: ['rotated'] } } });
    expect(directory.find('out')).toMatchObject({ connection: { secrets: { token: ['rotated'] } } });
  });

  it('lets a connection that waits for its handshake be used without its secret', () => {
    const { table, directory } = world();
    table.put('out', aRow({ settings: '{"channel":"C1","pending":true}', secrets: '{}' }));
    expect(directory.find('out')).toMatchObject({ kind: 'usable', connection: { secrets: {} } });
  });

  it('sees a change of the row at once', () => {
    const { table, directory } = world();
    table.put('out', aRow());
    directory.find('out');
    table.put('out', aRow({ settings: '{"channel":"C2"}', version: 2 }));
    expect(directory.find('out')).toMatchObject({ connection: { settings: { channel: 'C2' } } });
  });

  it('sees a missing secret once it is there, and asks for it only every few seconds', () => {
    const { table, directory, clock, environment } = world({});
    table.put('out', aRow());
    expect(directory.find('out').kind).toBe('unusable');
    environment.TOKEN = 'late';
    clock.now = 4_999;
    expect(directory.find('out').kind).toBe('unusable');
    clock.now = 5_000;
    expect(directory.find('out')).toMatchObject({ kind: 'usable', connection: { secrets: { token: ['late'] } } });
  });

  it('sees a rotated file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'secret-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'token');
    writeFileSync(path, 'old');
    const { table, directory, clock } = world();
    table.put('out', aRow({ secrets: JSON.stringify({ token: [`file:${path}`] }) }));
    expect(directory.find('out')).toMatchObject({ connection: { secrets: { token: ['old'] } } });
    writeFileSync(path, 'rotated');
    clock.now = 6_000;
    expect(directory.find('out')).toMatchObject({ connection: { secrets: { token: ['rotated'] } } });
  });
});
