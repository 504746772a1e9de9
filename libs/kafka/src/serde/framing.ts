import type { Type } from 'avsc';
import { InvalidAvro } from './serde-errors.js';

/** Confluent's wire format: a zero byte, the schema id as four big-endian bytes, the Avro body. */
const magic = 0;
export const prefixBytes = 5;

/** Most values fit; a larger one is encoded on its own. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** The framed value, encoded once and copied once. @throws as avsc does when the value does not fit the type. */
export function frame(schemaId: number, type: Type, value: unknown): Buffer {
  const end = type.encode(value, scratch, prefixBytes);
  const framed = end >= 0 ? Buffer.from(scratch.subarray(0, end)) : frameLarge(type, value);
  framed[0] = magic;
  framed.writeUInt32BE(schemaId, 1);
  return framed;
}

function frameLarge(type: Type, value: unknown): Buffer {
  const body = type.toBuffer(value);
  const framed = Buffer.allocUnsafe(prefixBytes + body.length);
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
