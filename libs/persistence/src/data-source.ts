import { DataSource } from 'typeorm';
import { addressNow } from './database-address.js';
import { Ledger1700000000001 } from './migrations/1700000000001-ledger.js';
import { Inbox1700000000002 } from './migrations/1700000000002-inbox.js';
import { DeadLetterActs1700000000003 } from './migrations/1700000000003-dead-letter-acts.js';
import { DeliveryClaims1700000000004 } from './migrations/1700000000004-delivery-claims.js';
import { LedgerFinal1700000000005 } from './migrations/1700000000005-ledger-final.js';
import { LedgerReaders1700000000006 } from './migrations/1700000000006-ledger-readers.js';
import { LedgerTrees1700000000007 } from './migrations/1700000000007-ledger-trees.js';
import { ProofMemory1700000000008 } from './migrations/1700000000008-proof-memory.js';
import { LedgerRetention1700000000009 } from './migrations/1700000000009-ledger-retention.js';
import { LedgerTruncate1700000000010 } from './migrations/1700000000010-ledger-truncate.js';
import { ServiceRights1700000000011 } from './migrations/1700000000011-service-rights.js';

/** TypeORM's part: migrations. Hot paths use `pg` directly, which writes two to four times as many rows a second. */
export function createDataSource(url: string): DataSource {
  return new DataSource({
    type: 'postgres',
    url: addressNow(url),
    migrations: [
      Ledger1700000000001,
      Inbox1700000000002,
      DeadLetterActs1700000000003,
      DeliveryClaims1700000000004,
      LedgerFinal1700000000005,
      LedgerReaders1700000000006,
      LedgerTrees1700000000007,
      ProofMemory1700000000008,
      LedgerRetention1700000000009,
      LedgerTruncate1700000000010,
      ServiceRights1700000000011,
    ],
    migrationsTableName: 'schema_migration',
    migrationsTransactionMode: 'each',
    synchronize: false,
    applicationName: 'tributary-migrations',
  });
}

/** Runs what is missing, one migrator at a time. Returns the names of the migrations that ran. */
export async function runMigrations(url: string): Promise<string[]> {
  const source = await createDataSource(url).initialize();
  const lock = source.createQueryRunner();
  try {
    // Several services may start at once on an empty database.
    await lock.query("SELECT pg_advisory_lock(hashtext('tributary.migrations'))");
    const ran = await source.runMigrations();
    await lock.query("SELECT pg_advisory_unlock(hashtext('tributary.migrations'))");
    return ran.map((migration) => migration.name);
  } finally {
    await lock.release();
    await source.destroy();
  }
}

/** Names of the migrations that have not run yet. */
export async function listPending(url: string): Promise<string[]> {
  const source = await createDataSource(url).initialize();
  try {
    const all = source.migrations.map((migration) => migration.name ?? migration.constructor.name);
    const exists: Array<{ exists: boolean }> = await source.query(
      "SELECT to_regclass('schema_migration') IS NOT NULL AS exists",
    );
    if (!exists[0]?.exists) return all;
    const done: Array<{ name: string }> = await source.query('SELECT name FROM schema_migration');
    return all.filter((name) => !done.some((row) => row.name === name));
  } finally {
    await source.destroy();
  }
}
