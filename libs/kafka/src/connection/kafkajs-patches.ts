import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { forgetHalfAnswers } from './kafkajs-connections.js';
import { patchFetches } from './kafkajs-fetches.js';
import { decodeRecordsInOnePass } from './kafkajs-record-decoding.js';
import { encodeRecordsInOnePass } from './kafkajs-record-encoding.js';

interface RequestQueue {
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  readonly throttledUntil: number;
  readonly pending: readonly unknown[];
  checkPendingRequests(): void;
}

let applied = false;

/** Repairs of kafkajs 2.2.4 that must be in place before the first connection. Safe to call again. */
export function applyKafkaJsPatches(): void {
  if (applied) return;
  applied = true;
  stopIdleTimer();
  registerZstd();
  encodeRecordsInOnePass();
  decodeRecordsInOnePass();
  patchFetches();
  forgetHalfAnswers();
}

// Once its timer has started, kafkajs arms it again every millisecond for each connection, for ever: 4 % of a core when
// idle (its issue 1751). It is needed only while requests wait.
function stopIdleTimer(): void {
  const require = createRequire(import.meta.url);
  const queue = require('kafkajs/src/network/requestQueue/index.js') as {
    prototype: { scheduleCheckPendingRequests: (this: RequestQueue) => void };
  };
  queue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.throttleCheckTimeoutId) return;
    const throttledForMs = this.throttledUntil - Date.now();
    if (throttledForMs <= 0 && this.pending.length === 0) return;
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      throttledForMs > 0 ? throttledForMs : 10,
    );
  };
}

function registerZstd(): void {
  const compress = promisify(zstdCompress);
  const decompress = promisify(zstdDecompress);
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
    compress: (encoder: { buffer: Buffer }) => compress(encoder.buffer),
    decompress: (buffer: Buffer) => decompress(buffer),
  });
}
