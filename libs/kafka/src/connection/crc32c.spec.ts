import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from './crc32c.js';

const kafkajsCrc32c = createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (
  bytes: Buffer,
) => number;

describe('crc32c', () => {
  it('gives the check value of the CRC catalogue', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });

  it('agrees with kafkajs on any bytes, from any place', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(9), (bytes, start) => {
        const from = Math.min(start, bytes.length);
        expect(crc32c(bytes, from)).toBe(kafkajsCrc32c(Buffer.from(bytes.subarray(from))));
      }),
    );
  });
});
