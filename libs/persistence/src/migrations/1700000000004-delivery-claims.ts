import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which delivery was about to be sent to a destination that does not drop repeats, and what came of it. */
export class DeliveryClaims1700000000004 implements MigrationInterface {
  readonly name = 'DeliveryClaims1700000000004';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE SCHEMA IF NOT EXISTS delivery');
    await runner.query(`
      CREATE TABLE delivery.claim (
        delivery_id text        COLLATE "C" NOT NULL PRIMARY KEY,
        round       text        COLLATE "C" NOT NULL,
        result      text        COLLATE "C" CHECK (result IN ('delivered', 'dropped')),
        receipt     text        COLLATE "C",
        claimed_at  timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query('CREATE INDEX ON delivery.claim USING brin (claimed_at)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP SCHEMA delivery CASCADE');
  }
}
