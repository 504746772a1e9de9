import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';

export function hmacSha256(key: string | Buffer | KeyObject, parts: readonly (string | Buffer)[]): Buffer {
  // Node takes four times as long when it is given the bytes themselves.
  const hmac = createHmac('sha256', Buffer.isBuffer(key) ? createSecretKey(key) : key);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

/** Constant time in the content. Lengths are no secret: they belong to the algorithm. */
export function equalBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Hex of exactly so many bytes, in either case. Undefined for anything else: `Buffer.from` would cut at the first bad digit. */
export function decodeHex(text: string, bytes: number): Buffer | undefined {
  if (text.length !== bytes * 2 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return Buffer.from(text, 'hex');
}

/** Standard-alphabet base64, padded or not. Undefined for anything else: `Buffer.from` would skip what it cannot read. */
export function decodeBase64(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const bare = text.replace(/=+$/, '');
  if (bare.length % 4 === 1 || (text !== bare && text.length % 4 !== 0)) return undefined;
  return Buffer.from(bare, 'base64');
}

/** True when any active secret gives the signature. Every secret is tried, so time does not tell which one matched. */
export function anySecretMatches(
  secrets: readonly string[] | undefined,
  matches: (secret: string) => boolean,
): boolean {
  let found = false;
  // An empty key is a key that everybody has.
  for (const secret of secrets ?? []) if (secret !== '' && matches(secret)) found = true;
  return found;
}
