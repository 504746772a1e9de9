export * from './canonical-record.js';
export * from './fixtures.js';
export * from './hostile-bodies.js';
export * from './source-contract.js';
