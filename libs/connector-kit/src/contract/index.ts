export * from './canonical-record.js';
export * from './destination-contract.js';
export * from './fault-server.js';
export * from './fixtures.js';
export * from './hostile-bodies.js';
export * from './source-contract.js';
