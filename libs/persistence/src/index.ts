export * from './database.js';
export * from './delivery-claims.js';
export * from './inbox.js';
export * from './ledger.js';
export * from './migrate.js';
