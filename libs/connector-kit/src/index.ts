export * from './destination.js';
export * from './http/client.js';
export * from './http/egress-guard.js';
export * from './http/outcome.js';
export * from './http/reply.js';
export * from './settings.js';
export * from './source.js';
