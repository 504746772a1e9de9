export * from './senders/faults.js';
export * from './senders/send.js';
export * from './senders/sender.js';
