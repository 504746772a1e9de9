import { type Checkpoint, originOf, parseOrigin, type TreeName } from '../checkpoint/checkpoint.js';
import { hashBytes } from '../merkle/hashing.js';
import { consistencyProof, inclusionProof, type RangeRoot } from '../merkle/proofs.js';

const formatName = 'tributary-ledger-proof/1';

/** That one row is in a tree that was signed, and, where an earlier checkpoint is given, that the tree grew out of that one. */
export interface RowProof {
  readonly tree: TreeName;
  /** Place of the row among the leaves of the tree: its offset, counted from the first one of the tree. */
  readonly index: number;
  /** Leaves of the tree that the checkpoint signs. */
  readonly size: number;
  /** The row exactly as it was hashed. */
  readonly row: string;
  /** RFC 9162 audit path from the row's hash to the signed root, nearest first. */
  readonly path: readonly Buffer[];
  /** The signed note. */
  readonly checkpoint: string;
  /** A checkpoint that somebody kept from before; absent where none was given. */
  readonly earlier?: { readonly checkpoint: string; readonly path: readonly Buffer[] };
}

export class ProofUnreadable extends Error {
  readonly code = 'PROOF_UNREADABLE';
  readonly retryable = false;
  constructor(problem: string) {
    super(`it is not a proof as "tributary audit proof" writes it: ${problem}`);
  }
}

export interface RowProofRequest {
  readonly row: string;
  readonly index: number;
  readonly checkpoint: Checkpoint;
  readonly earlier: Checkpoint | undefined;
}

export async function makeRowProof(
  { row, index, checkpoint, earlier }: RowProofRequest,
  rootOf: RangeRoot,
): Promise<RowProof> {
  const { tree, size, note } = checkpoint;
  return {
    tree,
    index,
    size,
    row,
    path: await inclusionProof(index, size, rootOf),
    checkpoint: note,
    ...(earlier && {
      earlier: { checkpoint: earlier.note, path: await consistencyProof(earlier.size, size, rootOf) },
    }),
  };
}

export function writeRowProof({ tree, index, size, row, path, checkpoint, earlier }: RowProof): string {
  const document = {
    format: formatName,
    tree: originOf(tree),
    index,
    size,
    row,
    path: path.map(encode),
    checkpoint,
    ...(earlier && { earlier: { checkpoint: earlier.checkpoint, path: earlier.path.map(encode) } }),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Reads what may come from anybody. @throws ProofUnreadable */
export function readRowProof(text: string): RowProof {
  const proof = proofIn(text);
  // Of two members with one name this reads the last and a person the first; and what is not read is not proven.
  if (writeRowProof(proof) !== text) {
    throw new ProofUnreadable('it says the same in another way, or more; take the file as it was written');
  }
  return proof;
}

function proofIn(text: string): RowProof {
  const { format, tree: origin, earlier, ...rest } = objectIn(parsed(text), 'it');
  if (format !== formatName) throw new ProofUnreadable(`its format is not ${formatName}`);
  const tree = parseOrigin(textIn(origin, 'tree'));
  if (!tree) throw new ProofUnreadable('tree names no tree');
  return {
    tree,
    index: countIn(rest.index, 'index'),
    size: countIn(rest.size, 'size'),
    row: textIn(rest.row, 'row'),
    path: pathIn(rest.path, 'path'),
    checkpoint: textIn(rest.checkpoint, 'checkpoint'),
    ...(earlier !== undefined && { earlier: earlierIn(earlier) }),
  };
}

function earlierIn(value: unknown): NonNullable<RowProof['earlier']> {
  const { checkpoint, path } = objectIn(value, 'earlier');
  return { checkpoint: textIn(checkpoint, 'earlier.checkpoint'), path: pathIn(path, 'earlier.path') };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ProofUnreadable((error as Error).message);
  }
}

function objectIn(value: unknown, where: string): { readonly [name: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ProofUnreadable(`${where} is no object`);
  return value as { readonly [name: string]: unknown };
}

function textIn(value: unknown, where: string): string {
  if (typeof value !== 'string') throw new ProofUnreadable(`${where} is no text`);
  return value;
}

function countIn(value: unknown, where: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new ProofUnreadable(`${where} is no number of rows`);
  return value as number;
}

/** A tree of as many leaves as a number can count has no longer path. */
const longestPath = 128;

function pathIn(value: unknown, where: string): Buffer[] {
  if (!Array.isArray(value) || value.length > longestPath) throw new ProofUnreadable(`${where} is no list of hashes`);
  return value.map((encoded) => {
    const hash = Buffer.from(textIn(encoded, where), 'base64');
    if (hash.length !== hashBytes) throw new ProofUnreadable(`${where} holds something that is no hash`);
    return hash;
  });
}

const encode = (hash: Buffer): string => hash.toString('base64');
