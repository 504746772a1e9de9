import {
  type CheckedPiece,
  type Checkpoint,
  type Finding,
  Findings,
  forksIn,
  type LedgerRow,
  NoteRefused,
  openCheckpoint,
  RangeCheck,
  signedAtOf,
  type TreeName,
  type VerifyingKey,
} from '@tributary/ledger';
import type { LedgerRows, LedgerTrees, RetiredRows, TreeExtent } from '@tributary/persistence';

export interface DatabaseVerifyPorts {
  readonly rows: Pick<LedgerRows, 'read'>;
  readonly trees: Pick<LedgerTrees, 'all'>;
  readonly retired: Pick<RetiredRows, 'acts' | 'seal' | 'factOf' | 'leavesOf'>;
  /** Published checkpoint notes, in the order of their topic, and those that were kept elsewhere. */
  readonly notes: readonly string[];
  readonly keys: readonly VerifyingKey[];
  readonly onProgress?: (rows: number) => void;
}

export interface VerifiedTree {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  readonly checkpoints: number;
  readonly signedAt: string | null;
}

export interface DatabaseVerification {
  readonly holds: boolean;
  readonly trees: readonly VerifiedTree[];
  readonly findings: readonly Finding[];
  readonly moreFindings: number;
}

const hashBytes = 32;
/** Rows that are in memory at once, twice. One question to the database brings so many. */
const rowsAtOnce = 2_000;

/** Holds the rows of the database against what was published about them. Memory does not grow with the ledger. */
export async function verifyDatabase(ports: DatabaseVerifyPorts): Promise<DatabaseVerification> {
  const findings = new Findings();
  const heads = openAll(ports, findings);
  for (const fork of forksIn(heads)) findings.add(fork);
  const states = await ports.trees.all();
  const trees: VerifiedTree[] = [];
  for (const state of states) trees.push(await verifyTree(ports, state, heads, findings));
  for (const partition of new Set(heads.map(({ tree }) => tree.partition))) {
    if (states.some((state) => state.partition === partition)) continue;
    findings.add({
      flaw: 'missing',
      partition,
      what: `the tree of partition ${partition} was signed and is not there`,
    });
  }
  await verifyRetirements(ports, findings);
  if (states.length === 0) findings.add({ flaw: 'unsigned', what: 'the ledger has no trees' });
  return { holds: findings.total === 0, trees, findings: findings.all, moreFindings: findings.more };
}

/** What is said to be retired was retired by somebody, who said so in the ledger, and is neither more nor less than that. */
async function verifyRetirements({ retired }: DatabaseVerifyPorts, findings: Findings): Promise<void> {
  for (const act of await retired.acts()) {
    const [seal, fact] = [await retired.seal(act), await retired.factOf(act)];
    if (fact?.rows === seal.rows && fact.digest === seal.digest) continue;
    const said = fact ? `its record says ${fact.rows} rows` : 'the ledger has no signed record of it';
    findings.add({
      flaw: 'missing',
      what: `${seal.rows} rows are listed as retired by ${act}, but ${said}${fact?.rows === seal.rows ? ', and others' : ''}`,
    });
  }
}

function openAll({ notes, keys }: DatabaseVerifyPorts, findings: Findings): Checkpoint[] {
  // The same note may come from the topic and from a bucket.
  return [...new Set(notes)].flatMap((note) => {
    try {
      return [openCheckpoint(note, keys)];
    } catch (error) {
      if (!(error instanceof NoteRefused)) throw error;
      const [title = ''] = note.split('\n', 1);
      findings.add({ flaw: 'checkpoint', what: `a checkpoint (${title}) is refused: ${error.message}` });
      return [];
    }
  });
}

async function verifyTree(
  ports: DatabaseVerifyPorts,
  state: TreeExtent,
  heads: readonly Checkpoint[],
  findings: Findings,
): Promise<VerifiedTree> {
  const { partition, firstOffset, size } = state;
  const own = heads.filter(({ tree }) => tree.partition === partition && tree.firstOffset === firstOffset);
  for (const { tree } of heads.filter((head) => head.tree.partition === partition && !own.includes(head))) {
    findings.add({
      flaw: 'missing',
      partition,
      what: `a tree that begins at offset ${tree.firstOffset} was signed; the one that is there begins at ${firstOffset}`,
    });
  }
  const newest = own.reduce<Checkpoint | undefined>(
    (best, one) => (one.size > (best?.size ?? -1) ? one : best),
    undefined,
  );
  if (!newest && size > 0)
    findings.add({ flaw: 'unsigned', partition, what: `nobody has signed the rows of partition ${partition}` });
  // As far as was signed, however short the tree says it is.
  const to = firstOffset + Math.max(size, newest?.size ?? 0);
  const tree: TreeName = newest?.tree ?? { log: 'unsigned', partition, firstOffset };
  const check = new RangeCheck(
    { tree, from: firstOffset, to, left: Buffer.alloc(0), right: [], isWhole: true, checkpoint: newest },
    own.filter((one) => one !== newest),
    findings,
  );
  for await (const piece of piecesOf(ports, partition, firstOffset, to)) {
    await check.take(piece);
    ports.onProgress?.(piece.to - firstOffset);
  }
  const result = check.finish();
  const signedAt = newest ? signedAtOf(newest) : null;
  return { partition, from: firstOffset, to, rows: result.rows, checkpoints: own.length, signedAt };
}

/** While one piece is checked, the database reads the next. */
async function* piecesOf(
  ports: DatabaseVerifyPorts,
  partition: number,
  from: number,
  to: number,
): AsyncGenerator<CheckedPiece, void> {
  const read = (at: number): Promise<CheckedPiece> | undefined => {
    if (at >= to) return undefined;
    const piece = pieceOf(ports, partition, at, Math.min(to, at + rowsAtOnce));
    // Whoever awaits it hears of its failure; nobody does where the check of the piece before fails first.
    piece.catch(() => undefined);
    return piece;
  };
  for (let next = read(from); next; ) {
    const piece = await next;
    next = read(piece.to);
    yield piece;
  }
}

async function pieceOf(
  { rows, retired }: DatabaseVerifyPorts,
  partition: number,
  from: number,
  to: number,
): Promise<CheckedPiece> {
  // Zeros where a row is missing, which is the hash of no row.
  const leaves = Buffer.alloc((to - from) * hashBytes);
  const bits = new Uint8Array(Math.ceil((to - from) / 8));
  const found: LedgerRow[] = [];
  const there = new Set<number>();
  for await (const { row, leafHash } of rows.read({ partition, from, to })) {
    const index = (row.audit_offset as number) - from;
    found.push(row);
    there.add(index);
    leafHash.copy(leaves, index * hashBytes, 0, hashBytes);
  }
  const gone = there.size < to - from ? await retired.leavesOf(partition, from, to) : [];
  for (const { offset, hash } of gone) {
    const index = offset - from;
    bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
    if (!there.has(index)) hash.copy(leaves, index * hashBytes, 0, hashBytes);
  }
  return { from, to, leafAt: (i) => leaves.subarray(i * hashBytes, (i + 1) * hashBytes), retired: bits, rows: found };
}
