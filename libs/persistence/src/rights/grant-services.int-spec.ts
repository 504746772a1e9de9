import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../database.js';
import { DeadLetterActs } from '../dead-letter-acts.js';
import { DeliveryClaims } from '../delivery-claims.js';
import { Inbox } from '../inbox.js';
import { Ledger } from '../ledger/ledger.js';
import { LedgerTrees } from '../ledger/ledger-trees.js';
import { LedgerView } from '../ledger/ledger-view.js';
import { pendingMigrations } from '../migrate.js';
import { DataKeys } from '../personal/data-keys.js';
import { defaultKeysUrl, prepareKeyDatabase } from '../personal/key-database.js';
import { LedgerKeys } from '../personal/ledger-keys.js';
import { anAcceptedRecord } from '../testing/an-accepted-record.js';
import { withMigratedDatabase } from '../testing/migrated-database.js';
import { grantServices } from './grant-services.js';
import { roleOf, type ServiceWithTables, servicesWithTables } from './service-rights.js';

const held = withMigratedDatabase();
const keys = LedgerKeys.parse(LedgerKeys.generate('spec'));
const january = Date.UTC(2026, 0, 31, 23, 59);
const opened: Database[] = [];
let databases: ReadonlyMap<ServiceWithTables, Database>;
let keyDatabases: ReadonlyMap<ServiceWithTables, Database>;

const loginOf = (service: ServiceWithTables): string =>
  `${service.replaceAll('-', '_')}_of_${new URL(held.url).pathname.slice(1)}`;

function openAs(service: ServiceWithTables, address: string): Database {
  const url = new URL(address);
  url.username = loginOf(service);
  url.password = 'secret';
  const database = new Database({
    url: url.href,
    applicationName: 'spec',
    maxConnections: 3,
    onIdleError: () => undefined,
  });
  opened.push(database);
  return database;
}

beforeAll(async () => {
  const keysUrl = defaultKeysUrl(held.url);
  await prepareKeyDatabase(keysUrl);
  // What was there before the roles is theirs as well.
  await held.database.query("SELECT ledger.ensure_month('2026-01-15Z')");
  await grantServices({ databaseUrl: held.url, keysUrl });
  for (const service of servicesWithTables)
    await held.database.query(`CREATE ROLE ${loginOf(service)} LOGIN PASSWORD 'secret' IN ROLE ${roleOf(service)}`);
  databases = new Map(servicesWithTables.map((service) => [service, openAs(service, held.url)]));
  keyDatabases = new Map(servicesWithTables.map((service) => [service, openAs(service, keysUrl)]));
});
afterAll(async () => {
  await Promise.all(opened.map((database) => database.close()));
  for (const service of servicesWithTables) await held.database.query(`DROP ROLE IF EXISTS ${loginOf(service)}`);
  await held.database.query(
    `DROP DATABASE IF EXISTS ${new URL(defaultKeysUrl(held.url)).pathname.slice(1)} WITH (FORCE)`,
  );
});

const as = (service: ServiceWithTables): Database => databases.get(service) as Database;
const keysAs = (service: ServiceWithTables): DataKeys =>
  new DataKeys({ database: keyDatabases.get(service) as Database, keys, nowMs: Date.now });

const entry = (offset: number, timestampMs: number) => ({
  partition: 0,
  offset: BigInt(offset),
  timestampMs,
  record: anAcceptedRecord(offset, { occurredAtMs: timestampMs }),
});

describe('a service under its own login', () => {
  it('writes the ledger over the end of a month that nobody made before, and its trees, as the audit-logger', async () => {
    const ledger = new Ledger({ database: as('audit-logger'), dataKeys: keysAs('audit-logger') });
    await ledger.prepare(january);
    const entries = [entry(0, january), entry(1, january + 120_000), entry(2, january)];
    await ledger.write(entries);
    await ledger.write(entries);
    const rows = await held.database.query(
      "SELECT audit_offset::int AS n, to_char(recorded_at AT TIME ZONE 'UTC', 'MM') AS month FROM ledger.audit_record ORDER BY 1",
    );
    expect(rows).toEqual([
      { n: 0, month: '01' },
      { n: 1, month: '02' },
      { n: 2, month: '01' },
    ]);
    const trees = new LedgerTrees(as('audit-logger'));
    await trees.begin(0, 0);
    await trees.extend(0);
    expect(await trees.all()).toMatchObject([{ partition: 0 }]);
  });

  it('claims and forgets events as the normalizer', async () => {
    const inbox = new Inbox(as('normalizer'));
    const claim = { eventSource: '/acme/in', eventId: 'e1', raw: { topic: 'raw.gusto.v1', partition: 0, offset: 1n } };
    expect(await inbox.claim([claim])).toEqual(['own']);
    expect(await inbox.claim([{ ...claim, raw: { ...claim.raw, offset: 2n } }])).toEqual(['duplicate']);
    expect(await inbox.forget(-1, 10)).toBe(1);
  });

  it('claims, settles, claims again and forgets deliveries as a connector', async () => {
    const claims = new DeliveryClaims(as('connector'));
    expect(await claims.claim([{ deliveryId: 'd1', round: '1' }])).toMatchObject([{ kind: 'fresh' }]);
    await claims.settle([{ deliveryId: 'd1', result: 'dropped' }]);
    expect(await claims.claim([{ deliveryId: 'd1', round: '2' }])).toMatchObject([{ kind: 'fresh' }]);
    await claims.settle([{ deliveryId: 'd1', result: 'released' }]);
    await claims.claim([{ deliveryId: 'd2', round: '1' }]);
    expect(await claims.forget(-1, 10)).toBe(1);
  });

  it('reads what its reader may read, and the state of dead letters, as the console', async () => {
    const view = new LedgerView(as('console'));
    const count = (query: Database['query']) => query('SELECT count(*)::int AS n FROM ledger.fact');
    expect(await view.read('all-tenants', count)).toEqual([{ n: 3 }]);
    expect(await view.read({ tenant: 'other' }, count)).toEqual([{ n: 0 }]);
    expect(await as('console').query('SELECT count(*)::int AS n FROM ledger.audit_record')).toEqual([{ n: 3 }]);
    expect(await new DeadLetterActs(as('console')).of(['raw.gusto.v1.dlt/0/1'])).toBeDefined();
    await keysAs('console').forReading([]);
  });

  it('sees that no migration is missing, before it starts', async () => {
    for (const service of servicesWithTables) {
      const url = new URL(held.url);
      url.username = loginOf(service);
      url.password = 'secret';
      expect(await pendingMigrations(url.href)).toEqual([]);
    }
  });

  it.each<[ServiceWithTables, string]>([
    ['audit-logger', "UPDATE ledger.audit_record SET tenant = 'x'"],
    ['audit-logger', 'DELETE FROM ledger.audit_record'],
    ['audit-logger', 'TRUNCATE ledger.audit_record'],
    ['audit-logger', "UPDATE ledger.audit_record_2026_01 SET tenant = 'x'"],
    ['audit-logger', 'DELETE FROM ledger.audit_record_2026_02'],
    ['audit-logger', 'TRUNCATE ledger.audit_record_2026_02'],
    ['audit-logger', 'DROP TABLE ledger.audit_record_2026_02'],
    ['audit-logger', 'ALTER TABLE ledger.audit_record DISABLE TRIGGER ALL'],
    ['audit-logger', 'DELETE FROM ledger.tree'],
    ['audit-logger', "UPDATE ledger.tree_node SET hash = ''"],
    ['audit-logger', 'DELETE FROM ledger.position'],
    ['audit-logger', 'INSERT INTO ledger.legal_hold (tenant, reason, placed_by) VALUES (1, 2, 3)'],
    ['audit-logger', 'SELECT * FROM inbox.claim'],
    ['audit-logger', 'SET ROLE tributary_auditor'],
    ['normalizer', 'SELECT * FROM ledger.audit_record'],
    ['normalizer', "SELECT ledger.ensure_month('2030-01-01Z')"],
    ['normalizer', "UPDATE inbox.claim SET raw_topic = 'x'"],
    ['normalizer', 'TRUNCATE inbox.claim'],
    ['normalizer', 'SELECT * FROM delivery.claim'],
    ['connector', 'SELECT * FROM ledger.audit_record'],
    ['connector', 'SELECT * FROM inbox.claim'],
    ['connector', "UPDATE delivery.claim SET delivery_id = 'x'"],
    ['connector', 'CREATE TABLE delivery.mine (id int)'],
    ['console', 'DELETE FROM ledger.audit_record'],
    ['console', "SELECT ledger.ensure_month('2030-01-01Z')"],
    ['console', 'DELETE FROM operations.dead_letter_act'],
    ['console', 'DELETE FROM ledger.position'],
    ['console', 'DELETE FROM schema_migration'],
  ])('is refused as %s: %s', async (service, statement) => {
    await expect(as(service).query(statement)).rejects.toMatchObject({ code: '42501' });
  });

  it.each<[ServiceWithTables, string]>([
    ['audit-logger', 'DELETE FROM data_key'],
    ['audit-logger', 'UPDATE data_key SET wrapped = NULL, erased_at = now()'],
    ['normalizer', 'SELECT * FROM data_key'],
    ['connector', 'SELECT * FROM data_key'],
    ['console', "UPDATE data_key SET tenant = 'x'"],
    ['console', 'DELETE FROM data_key'],
  ])('is refused in the database of the data keys as %s: %s', async (service, statement) => {
    await expect((keyDatabases.get(service) as Database).query(statement)).rejects.toMatchObject({ code: '42501' });
  });

  it('loses what it was given by hand when the rights are given again, and keeps the rest', async () => {
    await held.database.query(`GRANT DELETE, TRUNCATE ON ledger.audit_record TO ${roleOf('audit-logger')}`);
    await held.database.query(`GRANT USAGE ON SCHEMA inbox TO ${roleOf('connector')}`);
    await held.database.query(`GRANT UPDATE (raw_topic) ON inbox.claim TO ${roleOf('normalizer')}`);
    await grantServices({ databaseUrl: held.url, keysUrl: defaultKeysUrl(held.url) });
    for (const [service, statement] of [
      ['audit-logger', 'DELETE FROM ledger.audit_record'],
      ['connector', 'SELECT * FROM inbox.claim'],
      ['normalizer', "UPDATE inbox.claim SET raw_topic = 'x'"],
    ] as const)
      await expect(as(service).query(statement)).rejects.toMatchObject({ code: '42501' });
    await new Ledger({ database: as('audit-logger'), dataKeys: keysAs('audit-logger') }).write([entry(3, january)]);
    expect(await as('audit-logger').query('SELECT 1 AS one FROM ledger.audit_record WHERE audit_offset = 3')).toEqual([
      { one: 1 },
    ]);
  });
});
