import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The ledger: one row per audit record, identified by its (partition, offset) in `audit.records.v1`. TypeORM has no
 * partitioned tables (its issue 9620), so this is SQL. A unique key of a partitioned table must contain the partition
 * column; the broker's timestamp never changes for an offset, so the key still identifies the record.
 */
export class Ledger1700000000001 implements MigrationInterface {
  readonly name = 'Ledger1700000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE SCHEMA IF NOT EXISTS ledger');
    await runner.query(`
      CREATE TABLE ledger.audit_record (
        recorded_at      timestamptz NOT NULL,
        audit_partition  integer     NOT NULL,
        audit_offset     bigint      NOT NULL,
        audit_id         text        COLLATE "C" NOT NULL,
        stage            text        NOT NULL,
        action           text        NOT NULL,
        outcome          text        NOT NULL,
        actor            text        NOT NULL,
        on_behalf_of     text,
        tenant           text        COLLATE "C",
        occurred_at      timestamptz NOT NULL,
        source           text,
        connection_id    text        COLLATE "C",
        event_source     text        COLLATE "C",
        event_id         text        COLLATE "C",
        event_type       text,
        subject          text,
        entity           text        COLLATE "C",
        delivery_id      text        COLLATE "C",
        subscription_id  text        COLLATE "C",
        destination      text,
        operation        text,
        attempt          integer     NOT NULL,
        origin_topic     text        COLLATE "C",
        origin_partition integer     NOT NULL,
        origin_offset    bigint      NOT NULL,
        error_class      text,
        error_code       text,
        reason           text,
        receipt          text,
        duration_ms      bigint      NOT NULL,
        payload_digest   text,
        trace_id         text,
        events           integer     NOT NULL,
        deliveries       jsonb       NOT NULL,
        skipped          jsonb       NOT NULL,
        details          jsonb       NOT NULL,
        PRIMARY KEY (recorded_at, audit_partition, audit_offset)
      ) PARTITION BY RANGE (recorded_at)`);
    await runner.query('CREATE INDEX ON ledger.audit_record (audit_partition, audit_offset)');
    await runner.query('CREATE INDEX ON ledger.audit_record (event_id, event_source) WHERE event_id IS NOT NULL');
    await runner.query('CREATE INDEX ON ledger.audit_record (delivery_id) WHERE delivery_id IS NOT NULL');
    await runner.query('CREATE INDEX ON ledger.audit_record (tenant, occurred_at)');
    await runner.query(
      'CREATE INDEX ON ledger.audit_record (origin_topic, origin_partition, origin_offset) WHERE origin_topic IS NOT NULL',
    );
    await runner.query(`
      CREATE FUNCTION ledger.ensure_month(moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
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
      END $$`);
    // A fact told twice is two rows and one fact: the first by (partition, offset) counts.
    await runner.query(`
      CREATE VIEW ledger.fact AS
      SELECT DISTINCT ON (audit_id) * FROM ledger.audit_record ORDER BY audit_id, audit_partition, audit_offset`);
    await runner.query(`
      CREATE TABLE ledger.position (
        audit_partition integer PRIMARY KEY,
        next_offset     bigint  NOT NULL,
        updated_at      timestamptz NOT NULL DEFAULT now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP SCHEMA ledger CASCADE');
  }
}
