export * from './connection-directory.js';
export * from './control-table.js';
export * from './subscription-index.js';
