import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The months of the ledger are made by whoever writes it, who may not own it. So they are made in the name of the owner, and the writer may
 * add rows to them, if there is one with a role of its own.
 */
export class ServiceRights1700000000011 implements MigrationInterface {
  readonly name = 'ServiceRights1700000000011';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(ensureMonth);
    await runner.query('REVOKE EXECUTE ON FUNCTION ledger.ensure_month(timestamptz) FROM PUBLIC');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER FUNCTION ledger.ensure_month(timestamptz) SECURITY INVOKER RESET search_path');
    await runner.query('GRANT EXECUTE ON FUNCTION ledger.ensure_month(timestamptz) TO PUBLIC');
  }
}

const ensureMonth = `CREATE OR REPLACE FUNCTION ledger.ensure_month(moment timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
  DECLARE
    first_day timestamptz := date_trunc('month', moment AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    next_month timestamptz := (date_trunc('month', moment AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
    child text := 'audit_record_' || to_char(moment AT TIME ZONE 'UTC', 'YYYY_MM');
  BEGIN
    IF to_regclass('ledger.' || child) IS NOT NULL THEN RETURN; END IF;
    -- Several writers may find the month missing at once; one creates it, the others wait and see it.
    PERFORM pg_advisory_xact_lock(hashtext('ledger.ensure_month'));
    -- Not to_regclass again: its cache still says "missing" after the wait.
    PERFORM FROM pg_class WHERE relname = child AND relnamespace = 'ledger'::regnamespace;
    IF FOUND THEN RETURN; END IF;
    EXECUTE format('CREATE TABLE ledger.%I PARTITION OF ledger.audit_record FOR VALUES FROM (%L) TO (%L)', child, first_day, next_month);
    PERFORM ledger.guard_month(child);
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tributary_audit_logger') THEN
      EXECUTE format('GRANT INSERT ON ledger.%I TO tributary_audit_logger', child);
    END IF;
  END $$`;
