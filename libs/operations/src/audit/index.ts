/** Apart from the other operations: who only asks the ledger need not load every source and destination. */
export * from './audit-api.js';
export * from './audit-filter.js';
export * from './audit-reader.js';
export type { AuditFact } from './audit-record-view.js';
