import type { Database } from '../database.js';

/** Changes rows of the ledger as somebody does who owns the database: past the trigger that refuses it. */
export function tamper(database: Pick<Database, 'transaction'>, ...statements: readonly string[]): Promise<void> {
  return database.transaction(async (query) => {
    await query("SET LOCAL session_replication_role = 'replica'");
    for (const statement of statements) await query(statement);
  });
}
