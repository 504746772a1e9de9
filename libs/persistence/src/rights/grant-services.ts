import { Database } from '../database.js';
import { roleOf, type ServiceRights, serviceRights, servicesWithTables, type TableRight } from './service-rights.js';

/** Where rows are guarded: see the migration of the ledger's readers. */
const guardedTables = ['ledger.audit_record', 'ledger.destination_month'];

export interface ServiceDatabases {
  /** Of the owner of the tables. */
  readonly databaseUrl: string;
  readonly keysUrl: string;
}

/**
 * Gives each service's role what it needs and takes what it does not need any more; makes the roles where they are missing. May be run again.
 * @throws Error when a role is missing and this login may not make it.
 */
export async function grantServices({ databaseUrl, keysUrl }: ServiceDatabases): Promise<void> {
  await inDatabase(databaseUrl, async (query) => {
    for (const service of servicesWithTables) {
      const role = roleOf(service);
      for (const statement of [makeRole(role), ...ledgerStatements(role, serviceRights[service])])
        await query(statement);
    }
  });
  await inDatabase(keysUrl, async (query) => {
    for (const service of servicesWithTables) {
      const role = roleOf(service);
      const { dataKeys = [] } = serviceRights[service];
      for (const statement of [makeRole(role), ...rightsOn('data_key', role, dataKeys)]) await query(statement);
    }
  });
}

async function inDatabase(url: string, work: (query: Database['query']) => Promise<void>): Promise<void> {
  const database = new Database({
    url,
    applicationName: 'tributary-rights',
    maxConnections: 1,
    onIdleError: () => undefined,
  });
  try {
    await database.transaction(async (query) => {
      await query("SELECT pg_advisory_xact_lock(hashtext('tributary.rights'))");
      await work(query);
    });
  } finally {
    await database.close();
  }
}

/** Roles belong to the server: another database on it may be given its rights at the same time. */
const makeRole = (role: string): string => `
  DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}') THEN CREATE ROLE ${role} NOLOGIN; END IF;
  EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
      RAISE EXCEPTION 'the role ${role} is missing and % may not create it: let an administrator run CREATE ROLE ${role} NOLOGIN', current_user;
  END $$`;

function ledgerStatements(role: string, { tables, writesLedger, speaksFor = [] }: ServiceRights): string[] {
  const schemas = [...new Set(Object.keys(tables).map((name) => name.split('.')[0]))];
  return [
    ...['ledger', 'inbox', 'delivery', 'operations'].flatMap((schema) => [
      `REVOKE ALL ON ALL TABLES IN SCHEMA ${schema} FROM ${role}`,
      `REVOKE ALL ON SCHEMA ${schema} FROM ${role}`,
    ]),
    ...schemas.map((schema) => `GRANT USAGE ON SCHEMA ${schema} TO ${role}`),
    ...Object.entries(tables).flatMap(([name, rights]) => rightsOn(name, role, rights)),
    // A pod waits until no migration is missing.
    `GRANT SELECT ON schema_migration TO ${role}`,
    ...(writesLedger ? ledgerWriting(role) : []),
    ...speaksFor.map((other) => `GRANT ${other} TO ${role}`),
  ];
}

function rightsOn(name: string, role: string, rights: readonly TableRight[]): string[] {
  const granted = rights.length > 0 ? [`GRANT ${rights.join(', ')} ON ${name} TO ${role}`] : [];
  return [`REVOKE ALL ON ${name} FROM ${role}`, ...granted];
}

/** Only where it is missing: it would wait for whoever reads the table, and everybody for it. */
const allRows = (role: string, name: string): string => `
  DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_policies WHERE schemaname || '.' || tablename = '${name}' AND policyname = '${role}_rows')
    THEN CREATE POLICY ${role}_rows ON ${name} TO ${role} USING (true) WITH CHECK (true); END IF;
  END $$`;

/** Rows are copied into the months themselves: PostgreSQL copies nothing into a table that guards its rows. */
const ledgerWriting = (role: string): string[] => [
  ...guardedTables.map((name) => allRows(role, name)),
  `GRANT EXECUTE ON FUNCTION ledger.ensure_month(timestamptz) TO ${role}`,
  `DO $$ DECLARE month regclass; BEGIN
    FOR month IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'ledger.audit_record'::regclass LOOP
      EXECUTE format('GRANT INSERT ON %s TO ${role}', month);
    END LOOP;
  END $$`,
];
