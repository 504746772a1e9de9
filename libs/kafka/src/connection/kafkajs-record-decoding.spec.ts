import { createRequire } from 'node:module';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeRecordsInOnePass } from './kafkajs-record-decoding.js';

interface Decoder {
  readonly offset: number;
}
interface Decoded {
  readonly records: readonly Readonly<Record<string, unknown>>[];
}
type DecodeBatch = (decoder: Decoder) => Promise<Decoded>;
type Encode = (facts: object) => { buffer: Buffer };

const require = createRequire(import.meta.url);
const decoderModule = require.resolve('kafkajs/src/protocol/recordBatch/v0/decoder.js');
const DecoderOf = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => Decoder;
const Long = require('kafkajs/src/utils/long.js') as { fromValue(value: number): object };
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as Encode;
const { RecordBatch: encodeBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as {
  RecordBatch: (facts: object) => Promise<{ buffer: Buffer }>;
};

const long = (value: number) => Long.fromValue(value);

let theirs: DecodeBatch;
let ours: DecodeBatch;
beforeAll(() => {
  delete require.cache[decoderModule];
  theirs = require(decoderModule) as DecodeBatch;
  decodeRecordsInOnePass();
  ours = require(decoderModule) as DecodeBatch;
});

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const field = fc.oneof(fc.constant(null), bytes);
// What every object has, kafkajs reads as a value that came before.
const headerName = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((name) => !(name in Object.prototype));
const header = fc.oneof(bytes, fc.array(bytes, { minLength: 1, maxLength: 3 }));
const record = fc.record({
  key: field,
  value: field,
  headers: fc.array(fc.tuple(headerName, header), { maxLength: 4 }).map((all) => Object.fromEntries(all)),
  // Differences need up to 42 bits.
  timestampDelta: fc.integer({ min: -1_700_000_000_000, max: 2_000_000_000_000 }),
});
const context = fc.record({
  compression: fc.constantFrom(0, 1),
  transactional: fc.boolean(),
  firstOffset: fc.integer({ min: 0, max: 2 ** 52 }).map(long),
  firstTimestamp: fc.constantFrom(-1, 0, 1_700_000_000_000),
  maxTimestamp: fc.constant(1_800_000_000_000),
  producerId: fc.constantFrom(-1, 4711).map(long),
  producerEpoch: fc.integer({ min: -1, max: 32_767 }),
  firstSequence: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
  partitionLeaderEpoch: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
});

async function batchOf(facts: object, records: readonly object[]): Promise<Buffer> {
  const encoded = records.map((one, offsetDelta) => encodeRecord({ offsetDelta, ...one }));
  const batch = await encodeBatch({ ...facts, lastOffsetDelta: records.length - 1, records: encoded });
  return batch.buffer;
}

const fieldsOf = ({ records, ...facts }: Decoded) => ({
  ...facts,
  magicByte: 2,
  records: records.map((one) => ({
    offset: one.offset,
    timestamp: one.timestamp,
    key: one.key,
    value: one.value,
    headers: one.headers,
    attributes: one.attributes,
    magicByte: one.magicByte,
    isControlRecord: one.isControlRecord,
    batchContext: one.batchContext,
  })),
});

/** By both, with where they stopped reading. */
async function decodeTwice(input: Buffer): Promise<[unknown, unknown]> {
  const decode = async (by: DecodeBatch) => {
    const decoder = new DecoderOf(input);
    const batch = fieldsOf(await by(decoder));
    return { batch, stoppedAt: decoder.offset };
  };
  return [await decode(theirs), await decode(ours)];
}

const attributesAt = 22;
const [logAppendTime, control] = [0x08, 0x20];

describe('record batches decoded in one pass', () => {
  it('have the values that kafkajs reads', async () => {
    await fc.assert(
      fc.asyncProperty(
        context,
        fc.array(record, { maxLength: 20 }),
        fc.constantFrom(0, logAppendTime, control),
        fc.integer({ min: 0, max: 20 }),
        async (facts, records, attributes, bytesBehind) => {
          const input = await batchOf(facts, records);
          input[attributesAt] = (input[attributesAt] as number) | attributes;
          const [expected, decoded] = await decodeTwice(Buffer.concat([input, Buffer.alloc(bytesBehind)]));
          expect(decoded).toEqual(expected);
        },
      ),
    );
  });

  it('keep every value of a header that comes several times', async () => {
    const input = await batchOf({}, [
      { key: null, value: null, headers: { a: ['1', '2'], b: 'x', c: ['3', '4', '5'] } },
    ]);
    const { records } = await ours(new DecoderOf(input));
    const [a, b, c] = [['1', '2'].map(Buffer.from), Buffer.from('x'), ['3', '4', '5'].map((text) => Buffer.from(text))];
    expect(records[0]?.headers).toEqual({ a, b, c });
  });

  it('keep a header that is called as a property of every object', async () => {
    const headers = Object.fromEntries(
      ['constructor', '__proto__', 'toString'].map((name) => [name, Buffer.from('x')]),
    );
    const { records } = await ours(new DecoderOf(await batchOf({}, [{ key: null, value: null, headers }])));
    expect(Object.entries(records[0]?.headers ?? {})).toEqual(Object.entries(headers));
  });

  it('are asked for again when the answer ends inside one', async () => {
    const input = await batchOf({}, [{ key: null, value: Buffer.alloc(100) }]);
    const decoded = ours(new DecoderOf(input.subarray(0, -1)));
    await expect(decoded).rejects.toMatchObject({ name: 'KafkaJSPartialMessageError' });
  });

  it.each<[what: string, spoil: (batch: Buffer) => void]>([
    ['a record longer than the batch', (batch) => batch.writeUInt8(0x7e, 61)],
    ['more records than there are', (batch) => batch.writeInt32BE(3, 57)],
    ['a record of no length', (batch) => batch.writeUInt8(0x01, 61)],
    ['fewer bytes than a batch begins with', (batch) => batch.writeInt32BE(-12, 8)],
    ['a key longer than its record', (batch) => batch.writeUInt8(0x14, 65)],
  ])('are refused with the offset of the batch: %s', async (_, spoil) => {
    const one = { key: Buffer.from('k'), value: Buffer.from('value') };
    const input = await batchOf({ firstOffset: long(4_000) }, [one, one]);
    spoil(input);
    await expect(ours(new DecoderOf(input))).rejects.toThrow(
      /^the batch at offset 4000 (is not \d records: |has -12 bytes)/,
    );
  });
});
