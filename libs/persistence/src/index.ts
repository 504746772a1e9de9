export * from './database.js';
export * from './dead-letter-acts.js';
export * from './delivery-claims.js';
export * from './inbox.js';
export * from './ledger.js';
export * from './migrate.js';
