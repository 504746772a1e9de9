import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { decodeBase64, equalBytes, hmacSha256 } from '@tributary/connector-kit';

const publicKeyPrefix = 'whpk_';
const secretPrefix = 'whsec_';
const publicKeyBytes = 32;

/** Bytes of a symmetric secret, with or without its prefix. Undefined when it cannot be one: 24 to 64 bytes. */
function symmetricKey(secret: string): Buffer | undefined {
  const key = decodeBase64(secret.startsWith(secretPrefix) ? secret.slice(secretPrefix.length) : secret);
  return key && key.length >= 24 && key.length <= 64 ? key : undefined;
}

function publicKeyBytesOf(secret: string): Buffer | undefined {
  const key = decodeBase64(secret.slice(publicKeyPrefix.length));
  return key?.length === publicKeyBytes ? key : undefined;
}

export function problemOfKey(secret: string): string | undefined {
  if (secret.startsWith(publicKeyPrefix)) {
    return publicKeyBytesOf(secret) ? undefined : 'must be whpk_ and 32 bytes in base64';
  }
  return symmetricKey(secret) ? undefined : 'must be whsec_ and 24 to 64 bytes in base64';
}

// Making a key object costs more than checking a signature with it. Bounded: keys come and go with connections.
const publicKeys = new Map<string, KeyObject>();
const mostKeys = 1000;

function publicKey(secret: string): KeyObject | undefined {
  const known = publicKeys.get(secret);
  if (known) return known;
  const bytes = publicKeyBytesOf(secret);
  if (!bytes) return undefined;
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') }, format: 'jwk' });
  if (publicKeys.size >= mostKeys) publicKeys.clear();
  publicKeys.set(secret, key);
  return key;
}

export interface OfferedSignature {
  readonly version: 'v1' | 'v1a';
  readonly bytes: Buffer;
}

/** Whether one of our keys made one of the signatures. The kind of key decides which signatures it is tried on. */
export function keyMatches(secret: string, offered: readonly OfferedSignature[], signed: readonly (string | Buffer)[]) {
  if (secret.startsWith(publicKeyPrefix)) return publicKeyMatches(secret, offered, signed);
  const key = symmetricKey(secret);
  if (!key) return false;
  const expected = hmacSha256(key, signed);
  return offered.filter(({ version, bytes }) => version === 'v1' && equalBytes(bytes, expected)).length > 0;
}

function publicKeyMatches(secret: string, offered: readonly OfferedSignature[], signed: readonly (string | Buffer)[]) {
  const key = publicKey(secret);
  if (!key) return false;
  const text = Buffer.concat(signed.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return offered.some(
    ({ version, bytes }) => version === 'v1a' && bytes.length === 64 && verify(null, text, key, bytes),
  );
}
