export * from './data-source.js';
export * from './database.js';
export * from './inbox.js';
export * from './ledger.js';
