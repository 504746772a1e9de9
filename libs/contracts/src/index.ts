export * from './access.js';
export * from './avro.js';
export * from './catalogue.js';
export * from './domains.js';
export * from './event-types.js';
export * from './generated/records.js';
export * from './headers.js';
export * from './topic.js';
