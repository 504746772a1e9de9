export * from './consumer-app.js';
export * from './health.js';
export * from './health-server.js';
export * from './http-answers.js';
export type { LiveState } from './live-state.js';
export * from './nest-logger.js';
export * from './platform.js';
export * from './run-service.js';
export { registryOptions } from './security.js';
