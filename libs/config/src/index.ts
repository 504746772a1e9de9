export * from './live-text.js';
export * from './platform-settings.js';
export * from './sealing.js';
export * from './secrets.js';
export * from './settings.js';
