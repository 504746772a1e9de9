import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The Merkle trees over the ledger, one for each partition of the audit topic. */
export class LedgerTrees1700000000007 implements MigrationInterface {
  readonly name = 'LedgerTrees1700000000007';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE ledger.tree (
        audit_partition integer     PRIMARY KEY,
        first_offset    bigint      NOT NULL,
        size            bigint      NOT NULL CHECK (size >= 0),
        frontier        bytea       NOT NULL,
        updated_at      timestamptz NOT NULL DEFAULT now()
      )`);
    // Of the levels between, a proof hashes at most 256 of these; of the leaves, the rows have the hashes.
    await runner.query(`
      CREATE TABLE ledger.tree_node (
        audit_partition integer  NOT NULL,
        level           smallint NOT NULL,
        node            bigint   NOT NULL,
        hash            bytea    NOT NULL,
        PRIMARY KEY (audit_partition, level, node)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE ledger.tree_node, ledger.tree');
  }
}
