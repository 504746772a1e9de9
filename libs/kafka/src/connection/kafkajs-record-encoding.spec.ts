import { createRequire } from 'node:module';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeRecordsInOnePass } from './kafkajs-record-encoding.js';

interface Encoded {
  readonly buffer: Buffer;
}
type EncodeRequest = (facts: object) => { encode(): Promise<Encoded> };

const require = createRequire(import.meta.url);
const requestModule = require.resolve('kafkajs/src/protocol/requests/produce/v3/request.js');
const batchModule = require.resolve('kafkajs/src/protocol/recordBatch/v0/index.js');
const recordModule = require.resolve('kafkajs/src/protocol/recordBatch/record/v0/index.js');

/** The request as kafkajs would load it now. */
function loadRequest(): EncodeRequest {
  delete require.cache[requestModule];
  return require(requestModule) as EncodeRequest;
}

let theirs: EncodeRequest;
let ours: EncodeRequest;
beforeAll(() => {
  delete require.cache[batchModule];
  delete require.cache[recordModule];
  theirs = loadRequest();
  encodeRecordsInOnePass();
  ours = loadRequest();
});

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const text = fc.string({ unit: 'grapheme', maxLength: 80 });
const field = fc.oneof(fc.constant(null), bytes, text);
const header = fc.oneof(bytes, text, fc.array(fc.oneof(bytes, text), { maxLength: 3 }));
const message = fc.record({
  key: field,
  value: field,
  headers: fc.dictionary(text, header, { maxKeys: 4 }),
  // From before 1970-01-01 plus 31 bits to far ahead: differences need up to 42 bits.
  timestamp: fc.integer({ min: 1_000_000_000_000, max: 4_000_000_000_000 }).map(String),
});

const requestOf = (messages: readonly object[], compression: number) => ({
  acks: -1,
  timeout: 4000,
  compression,
  producerId: '4711',
  producerEpoch: 3,
  topicData: [{ topic: 'orders', partitions: [{ partition: 2, firstSequence: 9, messages }] }],
});

describe('record batches encoded in one pass', () => {
  it.each([
    ['not compressed', 0],
    ['gzip', 1],
  ])('are the bytes that kafkajs writes, %s', async (_, compression) => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 20 }), async (messages) => {
        const facts = requestOf(messages, compression);
        expect((await ours(facts).encode()).buffer).toEqual((await theirs(facts).encode()).buffer);
      }),
    );
  });
});
