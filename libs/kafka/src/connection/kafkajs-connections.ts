import { createRequire } from 'node:module';

interface Connection {
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  isConnected(): boolean;
  connect(): Promise<unknown>;
}

/** Of the length that stands before each answer. */
const lengthBytes = 4;

/**
 * kafkajs connects again through the same object, and takes what it hears then for the rest of the answer that the old connection broke off
 * in. From there on no answer is understood: each request waits for its time-out, the next one too, until the process ends.
 */
export function forgetHalfAnswers(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/network/connection.js') as { prototype: Connection };
  const { connect } = prototype;
  prototype.connect = function (this: Connection) {
    if (!this.isConnected()) {
      this.chunks = [];
      this.bytesBuffered = 0;
      this.bytesNeeded = lengthBytes;
    }
    return connect.call(this);
  };
}
