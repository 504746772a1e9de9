import { hash } from 'node:crypto';

/** Bytes of a hash. */
export const hashBytes = 32;

const pair = Buffer.alloc(1 + 2 * hashBytes);
pair[0] = 1;

/** Inner node of RFC 6962: SHA-256 over 0x01 and both children. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  pair.set(left, 1);
  pair.set(right, 1 + hashBytes);
  return hash('sha256', pair, 'buffer');
}

/** Root of a tree without leaves. */
export const emptyRoot = (): Buffer => hash('sha256', '', 'buffer');

/** Largest power of two below `n`; `n` is at least 2. Sizes go beyond 32 bits, so no bit operators. */
export function splitOf(n: number): number {
  let split = 1;
  while (split * 2 < n) split *= 2;
  return split;
}
