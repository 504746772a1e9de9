import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ensureMonth, guardMonth } from './1700000000010-ledger-truncate.js';

/**
 * The months of the ledger are made by whoever writes it, who may not own it. So they are made in the name of the owner, and the writer may
 * add rows to them, if there is one with a role of its own.
 */
export class ServiceRights1700000000011 implements MigrationInterface {
  readonly name = 'ServiceRights1700000000011';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(ensureMonth(`${guardMonth} ${grantMonth}`));
    await runner.query(asOwner);
    await runner.query('REVOKE EXECUTE ON FUNCTION ledger.ensure_month(timestamptz) FROM PUBLIC');
  }

  async down(runner: QueryRunner): Promise<void> {
    // In the name of who calls it, as every function that does not say otherwise.
    await runner.query(ensureMonth(guardMonth));
    await runner.query('GRANT EXECUTE ON FUNCTION ledger.ensure_month(timestamptz) TO PUBLIC');
  }
}

const asOwner =
  'ALTER FUNCTION ledger.ensure_month(timestamptz) SECURITY DEFINER SET search_path = pg_catalog, pg_temp';

const grantMonth = `IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tributary_audit_logger') THEN
      EXECUTE format('GRANT INSERT ON ledger.%I TO tributary_audit_logger', child);
    END IF;`;
