import { withDatabase } from '@tributary/testing';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventsPerTenant, ledgerOfTwoTenants } from '../testing/ledger-of-two-tenants.js';
import { type AuditFilter, BadAuditQuestion } from './audit-filter.js';
import type { AuditReader } from './audit-reader.js';

const held = withDatabase();
let world: Awaited<ReturnType<typeof ledgerOfTwoTenants>>;
beforeAll(async () => {
  world = await ledgerOfTwoTenants(held.url);
});
afterAll(() => world?.database.close());

const acme = { tenant: 'acme' } as const;
const day = { fromMs: Date.UTC(2026, 0, 15), toMs: Date.UTC(2026, 0, 16) };

async function all(reader: AuditReader, scope: Parameters<AuditReader['find']>[0], filter: AuditFilter, limit: number) {
  const records = [];
  let cursor: string | undefined;
  do {
    const page = await reader.find(scope, filter, { limit, cursor });
    records.push(...page.records);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  return records;
}

describe('finding in the ledger', () => {
  it.each<[string, AuditFilter, number]>([
    ['everything', {}, 2 * eventsPerTenant],
    ['an event', { event: 'e7' }, 2],
    ['a delivery', { delivery: 'd7' }, 1],
    ['an actor', { actor: 'connector/1' }, eventsPerTenant],
    ['a connection', { connection: 'in' }, eventsPerTenant],
    ['a destination', { destination: 'slack' }, eventsPerTenant],
    ['an action and its outcome', { action: 'settled', outcome: 'dead' }, 6],
    ['a person', { subject: 'person-1' }, 10],
    ['a window', { fromMs: day.fromMs + 1_000, toMs: day.fromMs + 3_000 }, 4],
    ['nothing', { entity: 'group:router' }, 0],
    ['what looks like SQL', { event: "e7' OR true --" }, 0],
  ])('finds %s of its tenant and nothing of another', async (_, filter, count) => {
    const { records } = await world.reader.find(acme, filter, { limit: 100 });
    expect(records).toHaveLength(count);
    expect(records.filter(({ tenant }) => tenant !== 'acme')).toEqual([]);
  });

  it.each([1, 7, 59, 60, 1000])('turns pages of %i from new to old without a gap or a repeat', async (limit) => {
    const records = await all(world.reader, acme, {}, limit);
    const positions = records.map(({ position }) => position);
    expect(new Set(positions).size).toBe(2 * eventsPerTenant);
    const times = records.map(({ recordedAt }) => recordedAt);
    expect(times).toEqual(times.toSorted().reverse());
  });

  it('shows all tenants to who sees all, and of one if asked', async () => {
    expect(await all(world.reader, 'all-tenants', day, 50)).toHaveLength(4 * eventsPerTenant + 1);
    const one = await all(world.reader, 'all-tenants', { tenant: 'globex' }, 50);
    expect(new Set(one.map(({ tenant }) => tenant))).toEqual(new Set(['globex']));
    const people = await all(world.reader, 'all-tenants', { tenant: 'globex', subject: 'person-1' }, 50);
    expect(people).toHaveLength(10);
  });

  it('shows what is personal with keys, and says that it is locked without', async () => {
    const [open] = (await world.reader.find(acme, { delivery: 'd7' }, { limit: 1 })).records;
    expect(open).toMatchObject({ personal: 'open', subject: 'person-1', reason: 'told to acme' });
    const [locked] = (await world.locked.find(acme, { delivery: 'd7' }, { limit: 1 })).records;
    expect(locked).toMatchObject({ personal: 'locked', subject: null, reason: null });
  });

  it('tells the story of an event, of one tenant only', async () => {
    const story = await world.reader.story(acme, 'e7');
    expect(story.map(({ action, tenant }) => [action, tenant])).toEqual([
      ['accepted', 'acme'],
      ['settled', 'acme'],
    ]);
    expect(await world.reader.story(acme, 'd7')).toEqual(story);
    expect(await world.reader.story(acme, 'nothing')).toEqual([]);
    expect(await world.reader.story('all-tenants', 'e7')).toHaveLength(4);
  });

  it('sums a month up, of one tenant only', async () => {
    expect(await world.reader.summary(acme, '2026-01')).toMatchObject([
      { tenant: 'acme', destination: 'slack', delivered: 24, dead: 6 },
    ]);
    expect(await world.reader.summary('all-tenants', '2026-01')).toHaveLength(2);
    expect(await world.reader.summary(acme, '2025-12')).toEqual([]);
  });

  it.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'a tenant beside that of the key',
      () => world.reader.find(acme, { tenant: 'globex' }, { limit: 1 }),
      /leave it out/,
    ],
    ['the whole ledger', () => world.reader.find('all-tenants', {}, { limit: 1 }), /whole ledger/],
    ['a year', () => world.reader.find('all-tenants', { fromMs: 0, toMs: Date.UTC(2026, 1) }, { limit: 1 }), /31 days/],
    ['a person of all tenants', () => world.reader.find('all-tenants', { subject: 'p' }, { limit: 1 }), /needs tenant/],
    ['a person without keys', () => world.locked.find(acme, { subject: 'p' }, { limit: 1 }), /no keys/],
    ['no rows', () => world.reader.find(acme, {}, { limit: 0 }), /limit/],
    ['too many rows', () => world.reader.find(acme, {}, { limit: 1001 }), /limit/],
    ['half a row', () => world.reader.find(acme, {}, { limit: 1.5 }), /limit/],
    ['a month that there is not', () => world.reader.summary(acme, '2026-13'), /month/],
    ['a month that is SQL', () => world.reader.summary(acme, "2026-01' --"), /month/],
  ])('refuses %s', async (_, act, said) => {
    await expect(act()).rejects.toThrow(said);
    await expect(act()).rejects.toThrow(BadAuditQuestion);
  });

  it.each(['', 'x', 'bnVsbA', 'W10', 'WzEsMl0', '!!!', 'A'.repeat(10_000), 'WzEsIngiLDFlOTksLTEsIi0xIl0'])(
    'refuses the cursor %.20s',
    async (cursor) => {
      await expect(world.reader.find(acme, {}, { limit: 1, cursor })).rejects.toThrow(BadAuditQuestion);
    },
  );

  it('refuses a cursor of another question', async () => {
    const { next } = await world.reader.find(acme, { actor: 'connector/1' }, { limit: 1 });
    const asked = world.reader.find(acme, {}, { limit: 1, cursor: next ?? '' });
    await expect(asked).rejects.toThrow(/another question/);
  });
});

describe('the roles that read the ledger', () => {
  async function as<T>(statements: readonly string[], ask: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client({ connectionString: held.url });
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
      return await ask(client);
    } finally {
      await client.end();
    }
  }
  const tenantsSeen = async (client: Client, table = 'ledger.fact') =>
    (await client.query(`SELECT DISTINCT tenant FROM ${table} ORDER BY 1`)).rows.map((row) => row.tenant);

  it('show nothing to a reader who says no tenant', async () => {
    const tables = ['ledger.audit_record', 'ledger.fact', 'ledger.delivery', 'ledger.monthly_summary'];
    for (const table of tables) {
      expect(await as(['SET ROLE tributary_reader'], (client) => tenantsSeen(client, table))).toEqual([]);
      const empty = ['SET ROLE tributary_reader', "SET tributary.tenant = ''"];
      expect(await as(empty, (client) => tenantsSeen(client, table))).toEqual([]);
      const one = ['SET ROLE tributary_reader', "SET tributary.tenant = 'globex'"];
      expect(await as(one, (client) => tenantsSeen(client, table))).toEqual(['globex']);
    }
  });

  it.each(['tributary_reader', 'tributary_auditor', 'tributary_analyst'])('let %s change nothing', async (role) => {
    for (const statement of [
      'DELETE FROM ledger.audit_record',
      "UPDATE ledger.audit_record SET actor = 'x'",
      "INSERT INTO ledger.analyst VALUES ('x', 'acme')",
      'SELECT * FROM ledger.legal_hold',
      'SELECT * FROM ledger.audit_record_2026_01',
    ])
      await expect(as([`SET ROLE ${role}`], (client) => client.query(statement))).rejects.toThrow(/permission denied/);
  });

  it('show an analyst the tenants of the login, whatever is set', async () => {
    const login = `analyst_${new URL(held.url).pathname.slice(1)}`;
    const own = new URL(held.url);
    own.username = login;
    own.password = 'secret';
    await as(
      [
        `CREATE ROLE ${login} LOGIN PASSWORD 'secret' IN ROLE tributary_analyst`,
        `INSERT INTO ledger.analyst VALUES ('${login}', 'acme')`,
      ],
      async () => undefined,
    );
    const client = new Client({ connectionString: own.href });
    await client.connect();
    try {
      await client.query("SET tributary.tenant = 'globex'");
      expect(await tenantsSeen(client)).toEqual(['acme']);
      await expect(client.query('SET ROLE tributary_auditor')).rejects.toThrow(/permission denied/);
    } finally {
      await client.end();
      await as([`DROP OWNED BY ${login}`, `DROP ROLE ${login}`], async () => undefined);
    }
  });
});
