export * from './api-key-check.js';
export * from './connection-directory.js';
export type { ConnectionLimitsSpec } from './connection-limits.js';
export * from './control-table.js';
export * from './subscription-index.js';
export * from './suspension.js';
