import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What proofs remember, so that the next one reads only what is new: sums by blocks of offsets, and how far the ledger was read. */
export class ProofMemory1700000000008 implements MigrationInterface {
  readonly name = 'ProofMemory1700000000008';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE ledger.proof_block (
        topic       text    COLLATE "C" NOT NULL,
        partition   integer NOT NULL,
        block       bigint  NOT NULL,
        from_offset bigint  NOT NULL,
        to_offset   bigint  NOT NULL,
        sums        jsonb   NOT NULL,
        PRIMARY KEY (topic, partition, block)
      )`);
    // One row. Its version tells two proofs that run at once which of them ended last.
    await runner.query(`
      CREATE TABLE ledger.proof_mark (
        is_only   boolean     PRIMARY KEY DEFAULT true CHECK (is_only),
        version   bigint      NOT NULL,
        positions jsonb       NOT NULL,
        proved_at timestamptz NOT NULL DEFAULT now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE ledger.proof_mark, ledger.proof_block');
  }
}
