export * from './connection-directory.js';
export * from './control-table.js';
export * from './control-writer.js';
export * from './integration-file.js';
export * from './plan.js';
export * from './subscription-index.js';
export * from './validate.js';
