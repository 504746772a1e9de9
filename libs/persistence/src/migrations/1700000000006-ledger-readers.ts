import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Who may read the ledger, and which rows of it. Without a tenant there are no rows: forgetting to say whose they are shows nothing, not
 * everything.
 */
export class LedgerReaders1700000000006 implements MigrationInterface {
  readonly name = 'LedgerReaders1700000000006';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...roles.map(createRole), ...analysts, ...grants, ...policies])
      await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of tables) {
      await runner.query(`ALTER TABLE ${table} DISABLE ROW LEVEL SECURITY`);
      for (const role of roles) await runner.query(`DROP POLICY ${policyOf(role)} ON ${table}`);
    }
    // The roles stay: they are the server's, and other databases on it may have the same.
    for (const role of roles) await runner.query(`DROP OWNED BY ${role}`);
    await runner.query('DROP FUNCTION ledger.tenants_of_session()');
    await runner.query('DROP TABLE ledger.analyst');
  }
}

const auditor = 'tributary_auditor';
const tenantReader = 'tributary_reader';
const analyst = 'tributary_analyst';
const roles = [auditor, tenantReader, analyst];

/** Roles belong to the server and outlive its databases; two databases may be migrated at once. */
const createRole = (role: string): string => `
  DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}') THEN CREATE ROLE ${role} NOLOGIN; END IF;
    IF NOT pg_has_role(current_user, '${role}', 'MEMBER') THEN EXECUTE format('GRANT ${role} TO %I', current_user); END IF;
  EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
      RAISE EXCEPTION 'the role ${role} is missing and % may not create it: let an administrator run CREATE ROLE ${role} NOLOGIN and GRANT ${role} TO %', current_user, current_user;
  END $$`;

/** A login sees the tenants that stand here, whatever it sets: for analysts who write SQL themselves. */
const analysts = [
  `CREATE TABLE ledger.analyst (
    login  text NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    PRIMARY KEY (login, tenant)
  )`,
  `CREATE FUNCTION ledger.tenants_of_session() RETURNS text[] LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(tenant), '{}') FROM ledger.analyst WHERE login = session_user
  $$`,
  'REVOKE ALL ON FUNCTION ledger.tenants_of_session() FROM PUBLIC',
];

const tables = ['ledger.audit_record', 'ledger.destination_month'];
const views = [
  'fact',
  'acceptance',
  'planned_delivery',
  'delivery',
  'attempt',
  'rejection',
  'operation',
  'monthly_summary',
].map((name) => `ledger.${name}`);

const grants = [
  `GRANT USAGE ON SCHEMA ledger TO ${roles.join(', ')}`,
  `GRANT SELECT ON ${[...tables, ...views].join(', ')} TO ${roles.join(', ')}`,
  `GRANT EXECUTE ON FUNCTION ledger.tenants_of_session() TO ${analyst}`,
];

const policyOf = (role: string): string => `${role}_rows`;

const rowsOf = {
  [auditor]: 'true',
  // An unset setting is null or empty, and no tenant is either.
  [tenantReader]: `tenant = nullif(current_setting('tributary.tenant', true), '')`,
  [analyst]: 'tenant = ANY ((SELECT ledger.tenants_of_session())::text[])',
};

const policies = tables.flatMap((table) => [
  `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`,
  ...Object.entries(rowsOf).map(
    ([role, rows]) => `CREATE POLICY ${policyOf(role)} ON ${table} FOR SELECT TO ${role} USING (${rows})`,
  ),
]);
