import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What operators did to dead letters. The row is written first, so of two who act on the same dead letter one is refused. */
export class DeadLetterActs1700000000003 implements MigrationInterface {
  readonly name = 'DeadLetterActs1700000000003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE SCHEMA IF NOT EXISTS operations');
    await runner.query(`
      CREATE TABLE operations.dead_letter_act (
        dead_letter text        COLLATE "C" PRIMARY KEY,
        act         text        NOT NULL CHECK (act IN ('redriven', 'discarded')),
        act_id      text        NOT NULL,
        actor       text        NOT NULL,
        reason      text        NOT NULL,
        begun_at    timestamptz NOT NULL DEFAULT now(),
        done_at     timestamptz
      )`);
    // What was done before this table existed is in the ledger only.
    await runner.query(`
      INSERT INTO operations.dead_letter_act (dead_letter, act, act_id, actor, reason, begun_at, done_at)
      SELECT DISTINCT ON (entity) substr(entity, length('dead-letter:') + 1), action, audit_id, actor, coalesce(reason, ''), occurred_at, occurred_at
      FROM ledger.audit_record
      WHERE action IN ('redriven', 'discarded') AND entity LIKE 'dead-letter:%'
      ORDER BY entity, occurred_at DESC`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP SCHEMA operations CASCADE');
  }
}
