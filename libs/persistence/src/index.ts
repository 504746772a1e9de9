export * from './database.js';
export { DatabaseNotReady, RowRefused } from './database-errors.js';
export * from './inbox.js';
export * from './ledger.js';
export * from './migrate.js';
