import { hashBytes, nodeHash, splitOf } from './hashing.js';

/** Root of the leaves [from, to), which begin at a multiple of the largest power of two that fits in them. */
export type RangeRoot = (from: number, to: number) => Promise<Buffer>;

/** RFC 9162, 2.1.3.1: the hashes that lead from leaf `index` to the root of `size` leaves, nearest first. */
export async function inclusionProof(index: number, size: number, rootOf: RangeRoot): Promise<Buffer[]> {
  if (!(index >= 0 && index < size)) throw new RangeError(`a tree of ${size} leaves has no leaf ${index}`);
  const path: Buffer[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    path.push(index < middle ? await rootOf(middle, to) : await rootOf(from, middle));
    [from, to] = index < middle ? [from, middle] : [middle, to];
  }
  return path.reverse();
}

/** RFC 9162, 2.1.4.1: what shows that the tree of `size` leaves begins with the tree of `before` leaves. */
export async function consistencyProof(before: number, size: number, rootOf: RangeRoot): Promise<Buffer[]> {
  if (!(before >= 0 && before <= size)) throw new RangeError(`a tree of ${size} leaves was never one of ${before}`);
  if (before === 0 || before === size) return [];
  const path: Buffer[] = [];
  let [from, to] = [0, size];
  while (before !== to) {
    const middle = from + splitOf(to - from);
    path.push(before <= middle ? await rootOf(middle, to) : await rootOf(from, middle));
    [from, to] = before <= middle ? [from, middle] : [middle, to];
  }
  // The verifier has the old root already when the old tree is one complete subtree from the first leaf on.
  if (from > 0) path.push(await rootOf(from, to));
  return path.reverse();
}

export interface Inclusion {
  readonly leaf: Buffer;
  readonly index: number;
  readonly size: number;
  readonly root: Buffer;
  readonly proof: readonly Buffer[];
}

/** RFC 9162, 2.1.3.2. */
export function includes({ leaf, index, size, root, proof }: Inclusion): boolean {
  if (!areHashes([leaf, root, ...proof]) || !isPosition(index, size) || index >= size) return false;
  let node = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && hash.equals(root);
}

export interface Consistency {
  readonly before: number;
  readonly size: number;
  readonly rootBefore: Buffer;
  readonly root: Buffer;
  readonly proof: readonly Buffer[];
}

/** RFC 9162, 2.1.4.2. */
export function isConsistent({ before, size, rootBefore, root, proof }: Consistency): boolean {
  if (!areHashes(proof) || !isPosition(before, size) || before > size) return false;
  if (before === size) return proof.length === 0 && rootBefore.equals(root);
  if (before === 0) return proof.length === 0;
  const path = isPowerOfTwo(before) ? [rootBefore, ...proof] : proof;
  const [first, ...rest] = path;
  if (!first || proof.length === 0) return false;
  let node = before - 1;
  let last = size - 1;
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  let old = first;
  let now = first;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      old = nodeHash(sibling, old);
      now = nodeHash(sibling, now);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      now = nodeHash(now, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && old.equals(rootBefore) && now.equals(root);
}

const isOdd = (n: number): boolean => n % 2 === 1;
const half = (n: number): number => Math.floor(n / 2);
const isPosition = (at: number, size: number): boolean =>
  Number.isSafeInteger(at) && Number.isSafeInteger(size) && at >= 0;
const areHashes = (hashes: readonly Buffer[]): boolean => hashes.every(({ length }) => length === hashBytes);
const isPowerOfTwo = (n: number): boolean => {
  let power = 1;
  while (power < n) power *= 2;
  return power === n;
};
