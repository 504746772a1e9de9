import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Nobody empties the ledger, or a month of it, either. */
export class LedgerTruncate1700000000010 implements MigrationInterface {
  readonly name = 'LedgerTruncate1700000000010';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [refusal, guard, guardAll, ensureMonth(guardMonth)]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(ensureMonth(''));
    await runner.query('DROP FUNCTION ledger.refuse_truncate() CASCADE');
    await runner.query('DROP FUNCTION ledger.guard_month(text)');
  }
}

const refusal = `
  CREATE FUNCTION ledger.refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION 'rows of the ledger are never changed and % is never emptied: whole months leave it by "tributary ledger retire"', TG_RELID::regclass
      USING ERRCODE = 'insufficient_privilege';
  END $$`;

/** Unlike triggers for rows, those for statements are not handed down to partitions: each one gets its own. */
const guard = `
  CREATE FUNCTION ledger.guard_month(guarded text) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON ledger.%I FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_truncate()', guarded);
  END $$`;

const guardAll = `
  SELECT ledger.guard_month(relname) FROM pg_class WHERE oid = 'ledger.audit_record'::regclass
    OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'ledger.audit_record'::regclass)`;

export const guardMonth = 'PERFORM ledger.guard_month(child);';

/** As before, and then what else a new month needs. */
export const ensureMonth = (andThen: string): string => `
  CREATE OR REPLACE FUNCTION ledger.ensure_month(moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
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
    ${andThen}
  END $$`;
