import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Who claimed which event: de-duplication for the normalizer. One plain table, because an event may be sent again days
 * later and a table partitioned by day could not keep the key unique over days.
 */
export class Inbox1700000000002 implements MigrationInterface {
  readonly name = 'Inbox1700000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE SCHEMA IF NOT EXISTS inbox');
    await runner.query(`
      CREATE TABLE inbox.claim (
        event_source  text        COLLATE "C" NOT NULL,
        event_id      text        COLLATE "C" NOT NULL,
        raw_topic     text        COLLATE "C" NOT NULL,
        raw_partition integer     NOT NULL,
        raw_offset    bigint      NOT NULL,
        claimed_at    timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (event_source, event_id)
      )`);
    await runner.query('CREATE INDEX ON inbox.claim USING brin (claimed_at)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP SCHEMA inbox CASCADE');
  }
}
