import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomFillSync } from 'node:crypto';

export const keyBytes = 32;

/** Made once and used often: making a cipher from bytes costs four times as much as from this. */
export const secretKey = (bytes: Buffer): KeyObject => createSecretKey(bytes);
const nonceBytes = 12;
const tagBytes = 16;
const nothing = new Uint8Array(0);

// One call for many nonces: a call for each costs as much as the encryption of a short text.
const nonces = Buffer.alloc(nonceBytes * 512);
let used = nonces.length;

function nextNonce(): Buffer {
  if (used === nonces.length) {
    randomFillSync(nonces);
    used = 0;
  }
  used += nonceBytes;
  return nonces.subarray(used - nonceBytes, used);
}

/** Nonce, ciphertext and tag. `context` is not kept: who opens it must know the same. @param head stands before them, as it is. */
export function sealBytes(
  key: KeyObject,
  plain: Buffer | string,
  context?: Buffer,
  head: Uint8Array = nothing,
): Buffer {
  const nonce = nextNonce();
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  if (context) cipher.setAAD(context);
  const text = typeof plain === 'string' ? cipher.update(plain, 'utf8') : cipher.update(plain);
  cipher.final();
  const at = head.length + nonceBytes;
  const sealed = Buffer.allocUnsafe(at + text.length + tagBytes);
  sealed.set(head);
  sealed.set(nonce, head.length);
  sealed.set(text, at);
  sealed.set(cipher.getAuthTag(), at + text.length);
  return sealed;
}

/** @throws Error when it was sealed under another key or for another context, or altered. */
export function openBytes(key: KeyObject, bytes: Buffer, context?: Buffer): Buffer {
  if (bytes.length < nonceBytes + tagBytes) throw new Error('too short to be sealed');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
  if (context) decipher.setAAD(context);
  decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
  return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, bytes.length - tagBytes)), decipher.final()]);
}
