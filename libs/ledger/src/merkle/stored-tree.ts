import { nodeHash, splitOf } from './hashing.js';
import type { RangeRoot } from './proofs.js';

/** Every how many levels the roots of complete subtrees are stored: a proof then reads at most 2^8 hashes for each step. */
export const storedLevels = 8;

export const isStoredLevel = (level: number): boolean => level > 0 && level % storedLevels === 0;

/** Reads the hashes [from, to) of a level that is stored: 0 (the leaves), 8, 16, ... */
export type ReadNodes = (level: number, from: number, to: number) => Promise<readonly Buffer[]>;

export class TreeIncomplete extends Error {
  readonly code = 'TREE_INCOMPLETE';
  readonly retryable = false;
}

/** Roots of ranges out of what is stored of a tree. */
export function rangeRoots(read: ReadNodes): RangeRoot {
  const complete = async (level: number, index: number): Promise<Buffer> => {
    const stored = level - (level % storedLevels);
    const width = 2 ** (level - stored);
    const nodes = await read(stored, index * width, (index + 1) * width);
    if (nodes.length !== width) {
      throw new TreeIncomplete(
        `the tree has ${nodes.length} of the ${width} hashes of level ${stored} from ${index * width} on: run "tributary audit verify --database"`,
      );
    }
    return fold(nodes);
  };
  const rootOf: RangeRoot = async (from, to) => {
    const level = levelOf(to - from);
    if (level !== undefined) return complete(level, from / 2 ** level);
    const middle = from + splitOf(to - from);
    return nodeHash(await rootOf(from, middle), await rootOf(middle, to));
  };
  return rootOf;
}

/** The complete subtrees that make up the leaves [from, to), left to right. */
export function subtreesOf(from: number, to: number): { readonly level: number; readonly index: number }[] {
  const subtrees: { level: number; index: number }[] = [];
  for (let at = from; at < to; ) {
    let level = 0;
    while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= to) level += 1;
    subtrees.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return subtrees;
}

function levelOf(leaves: number): number | undefined {
  let level = 0;
  while (2 ** level < leaves) level += 1;
  return 2 ** level === leaves ? level : undefined;
}

function fold(nodes: readonly Buffer[]): Buffer {
  let row = nodes;
  while (row.length > 1) {
    const above: Buffer[] = [];
    for (let i = 0; i < row.length; i += 2) above.push(nodeHash(row[i] as Buffer, row[i + 1] as Buffer));
    row = above;
  }
  return row[0] as Buffer;
}
