export { type LocalStack, startLocalStack } from './local-stack.js';
export { type LocalStackOptions, repositoryRoot } from './options.js';
export { freePorts } from './ports.js';
export type { KafkaSecurity } from './secured-listeners.js';
export type { SupervisedProcess } from './supervisor.js';
