export * from './cluster.js';
export * from './dead-letter.js';
export * from './dead-letters.js';
export * from './facts.js';
export * from './integrations.js';
export * from './ledger-reader.js';
export * from './proof-ports.js';
