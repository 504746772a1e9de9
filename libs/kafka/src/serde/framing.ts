import { InvalidAvro } from './serde-errors.js';

/** Confluent's wire format: a zero byte, the schema id as four big-endian bytes, the Avro body. */
const magic = 0;
export const prefixBytes = 5;

export function frame(schemaId: number, body: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(prefixBytes + body.length);
  framed[0] = magic;
  framed.writeUInt32BE(schemaId, 1);
  body.copy(framed, prefixBytes);
  return framed;
}

export interface Framed {
  readonly schemaId: number;
  readonly body: Buffer;
}

/** @throws InvalidAvro when the prefix is missing or of another format. */
export function unframe(bytes: Buffer): Framed {
  if (bytes.length < prefixBytes) throw new InvalidAvro(`${bytes.length} bytes are too few for the schema id`);
  if (bytes[0] !== magic) {
    throw new InvalidAvro(`it starts with byte ${bytes[0]} instead of ${magic}, so no schema id follows`);
  }
  return { schemaId: bytes.readUInt32BE(1), body: bytes.subarray(prefixBytes) };
}
