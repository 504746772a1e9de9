// The operator's side: what files ask for, and writing it. Services only read, so they do not load this.
export * from './control-writer.js';
export * from './integration-file.js';
export * from './plan.js';
export * from './validate.js';
