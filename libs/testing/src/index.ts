export { type TestDatabase, withDatabase } from './database.js';
export { type EventuallyOptions, eventually } from './eventually.js';
export { type TestStack, testStack } from './test-stack.js';
export { createTopic } from './topic.js';
export { uniqueName } from './unique-name.js';
