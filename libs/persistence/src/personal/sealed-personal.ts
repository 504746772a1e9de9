import type { KeyObject } from 'node:crypto';
import { openBytes, sealBytes } from './aes-gcm.js';
import type { DataKey } from './data-keys.js';
import type { PersonalFields } from './personal-fields.js';

const version = 1;
const headerBytes = 5;

/** What the column `personal` holds: a version, the generation of the key, and the fields as encrypted JSON. */
export function sealPersonal({ key, generation }: DataKey, fields: PersonalFields): Buffer {
  const header = Buffer.alloc(headerBytes);
  header[0] = version;
  header.writeUInt32BE(generation, 1);
  return sealBytes(key, JSON.stringify(fields), undefined, header);
}

/** Which generation of its data subject's key a ciphertext was made with. @throws Error when it is none of ours. */
export function generationOf(personal: Buffer): number {
  if (personal.length < headerBytes || personal[0] !== version)
    throw new Error('not a personal column of this release');
  return personal.readUInt32BE(1);
}

/** @throws Error when it was made with another key, or altered. */
export function openPersonal(key: KeyObject, personal: Buffer): PersonalFields {
  return JSON.parse(openBytes(key, personal.subarray(headerBytes)).toString('utf8')) as PersonalFields;
}
