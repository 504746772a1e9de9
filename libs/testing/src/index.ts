export { withDatabase } from './database.js';
export { eventually } from './eventually.js';
export { type TestStack, testStack } from './test-stack.js';
export { createTopic } from './topic.js';
export { uniqueName } from './unique-name.js';
