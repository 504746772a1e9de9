export * from './dead-letters.js';
export * from './facts.js';
export * from './ledger-reader.js';
export * from './proof-ports.js';
