import { emptyRoot, hashBytes, nodeHash } from './hashing.js';

/** Told of every complete subtree: of 2^level leaves, the `index`-th of its level. */
export type OnSubtree = (level: number, index: number, hash: Buffer) => void;

export class FrontierBroken extends Error {
  readonly code = 'FRONTIER_BROKEN';
  readonly retryable = false;
}

/**
 * What must be remembered of a tree to append to it and to know its root: the roots of its largest complete subtrees, one
 * for each bit of its size, left to right.
 */
export class Frontier {
  private constructor(
    private count: number,
    private readonly roots: Buffer[],
  ) {}

  static empty(): Frontier {
    return new Frontier(0, []);
  }

  /** @throws FrontierBroken when the hashes cannot be those of a tree of that size. */
  static of(size: number, hashes: Uint8Array): Frontier {
    if (!Number.isSafeInteger(size) || size < 0 || hashes.length !== bitsIn(size) * hashBytes) {
      throw new FrontierBroken(`a tree of ${size} leaves does not have a frontier of ${hashes.length} bytes`);
    }
    const roots: Buffer[] = [];
    for (let at = 0; at < hashes.length; at += hashBytes) roots.push(Buffer.from(hashes.subarray(at, at + hashBytes)));
    return new Frontier(size, roots);
  }

  get size(): number {
    return this.count;
  }

  append(leaf: Buffer, onSubtree?: OnSubtree): void {
    this.appendSubtree(0, leaf, onSubtree);
  }

  /** Appends the root of 2^level leaves. @throws FrontierBroken when a subtree of that level cannot begin here. */
  appendSubtree(level: number, root: Buffer, onSubtree?: OnSubtree): void {
    const leaves = 2 ** level;
    if (this.count % leaves !== 0) {
      throw new FrontierBroken(`no subtree of ${leaves} leaves begins at leaf ${this.count}`);
    }
    let index = this.count / leaves;
    let at = level;
    let top = root;
    onSubtree?.(at, index, top);
    // Every trailing one of the index is a complete left neighbour that waits for this right one.
    for (; index % 2 === 1; index = (index - 1) / 2) {
      top = nodeHash(this.roots.pop() as Buffer, top);
      at += 1;
      onSubtree?.(at, (index - 1) / 2, top);
    }
    this.roots.push(top);
    this.count += leaves;
  }

  root(): Buffer {
    return this.roots.length === 0 ? emptyRoot() : this.roots.reduceRight((right, left) => nodeHash(left, right));
  }

  /** The hashes, left to right, in one piece. */
  toBytes(): Buffer {
    return Buffer.concat(this.roots);
  }

  clone(): Frontier {
    return new Frontier(this.count, [...this.roots]);
  }
}

function bitsIn(size: number): number {
  let bits = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2;
  return bits;
}
