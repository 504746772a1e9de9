export * from './audit.js';
export * from './event.js';
export * from './ids.js';
export * from './outcome.js';
export * from './platform-error.js';
export * from './retry-after.js';
export * from './retry-schedule.js';
export * from './settle.js';
