import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How long rows are kept, by tenant and class; and that nothing else than retirement takes a row out of the ledger. What is retired
 * leaves its hash, so that the trees over it still verify.
 */
export class LedgerRetention1700000000009 implements MigrationInterface {
  readonly name = 'LedgerRetention1700000000009';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...tables, ...functions, guard]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TRIGGER refuse_change ON ledger.audit_record');
    await runner.query('DROP FUNCTION ledger.retire_rows(uuid, text, text, timestamptz, integer)');
    await runner.query('DROP FUNCTION ledger.is_retirable(text, text, text, text, text)');
    await runner.query('DROP FUNCTION ledger.class_of(text), ledger.refuse_change()');
    await runner.query('DROP VIEW ledger.leaf');
    await runner.query('DROP TABLE ledger.retired_row, ledger.retirement, ledger.retention');
  }
}

const tables = [
  // No tenant: those that have no row of their own for the class, and records of nobody.
  `CREATE TABLE ledger.retention (
    tenant text    COLLATE "C" NOT NULL,
    class  text    NOT NULL CHECK (class IN ('acceptance', 'delivery', 'operations')),
    days   integer NOT NULL CHECK (days >= 45),
    set_by text    NOT NULL,
    reason text    NOT NULL,
    set_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, class)
  )`,
  `CREATE TABLE ledger.retirement (
    id       uuid        PRIMARY KEY,
    what     text        NOT NULL,
    actor    text        NOT NULL,
    reason   text        NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now(),
    told_at  timestamptz
  )`,
  `CREATE TABLE ledger.retired_row (
    audit_offset    bigint  NOT NULL,
    audit_partition integer NOT NULL,
    retirement      uuid    NOT NULL REFERENCES ledger.retirement (id),
    leaf_hash       bytea   NOT NULL,
    PRIMARY KEY (audit_partition, audit_offset)
  )`,
  'CREATE INDEX ON ledger.retired_row (retirement, audit_partition, audit_offset)',
  `CREATE VIEW ledger.leaf WITH (security_invoker = true) AS
    SELECT audit_partition, audit_offset, leaf_hash FROM ledger.audit_record
    UNION ALL SELECT audit_partition, audit_offset, leaf_hash FROM ledger.retired_row`,
];

const functions = [
  `CREATE FUNCTION ledger.class_of(stage text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE stage WHEN 'connector' THEN 'delivery' WHEN 'operator' THEN 'operations' ELSE 'acceptance' END
  $$`,
  // Records of retirements stay: they are what tells a retired row from a missing one.
  `CREATE FUNCTION ledger.is_retirable(row_tenant text, row_stage text, row_action text, of_tenant text, of_class text)
    RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT row_action <> 'retired' AND ledger.class_of(row_stage) = of_class AND CASE WHEN of_tenant <> '' THEN row_tenant = of_tenant
      ELSE NOT EXISTS (SELECT FROM ledger.retention r WHERE r.tenant = row_tenant AND r.tenant <> '' AND r.class = of_class) END
  $$`,
  // The setting holds inside of the function and ends with it.
  `CREATE FUNCTION ledger.retire_rows(act uuid, of_tenant text, of_class text, before timestamptz, at_most integer)
    RETURNS integer LANGUAGE plpgsql SET tributary.ledger_change = 'retirement' AS $$
  DECLARE
    gone integer;
  BEGIN
    -- Whoever places a hold meanwhile waits, and then keeps what is still there.
    LOCK TABLE ledger.legal_hold IN SHARE MODE;
    WITH chosen AS (
      SELECT r.audit_partition, r.audit_offset, r.recorded_at FROM ledger.audit_record r
      JOIN ledger.tree t ON t.audit_partition = r.audit_partition
        AND r.audit_offset >= t.first_offset AND r.audit_offset < t.first_offset + t.size
      WHERE r.recorded_at < before AND ledger.is_retirable(r.tenant, r.stage, r.action, of_tenant, of_class)
        AND NOT EXISTS (SELECT FROM ledger.legal_hold h WHERE h.released_at IS NULL AND h.tenant = r.tenant
          AND (h.subject_index IS NULL OR h.subject_index = r.subject_index))
      LIMIT at_most
    ), deleted AS (
      DELETE FROM ledger.audit_record r USING chosen c
      WHERE r.audit_partition = c.audit_partition AND r.audit_offset = c.audit_offset AND r.recorded_at = c.recorded_at
        AND r.recorded_at < before
      RETURNING r.audit_partition, r.audit_offset, r.leaf_hash
    )
    INSERT INTO ledger.retired_row (audit_partition, audit_offset, retirement, leaf_hash)
    SELECT audit_partition, audit_offset, act, leaf_hash FROM deleted;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
  END $$`,
  `CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF current_setting('tributary.ledger_change', true) = 'retirement' AND TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RAISE EXCEPTION 'rows of the ledger are never changed, and taken out only by retirement: see "tributary ledger retention"'
      USING ERRCODE = 'insufficient_privilege';
  END $$`,
];

/** Partitions get it with their creation and lose it when they are detached. */
const guard = `CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON ledger.audit_record
  FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()`;
