export { LocalStackError } from './errors.js';
export { type LocalStack, startLocalStack } from './local-stack.js';
export { type LocalStackOptions, repositoryRoot, type StackPart } from './options.js';
export { freePorts } from './ports.js';
export { type ProcessExit, type ProcessSpec, type SupervisedProcess, Supervisor } from './supervisor.js';
