import {
  type Checkpoint,
  checkRange,
  type Finding,
  Findings,
  NoteRefused,
  openCheckpoint,
  rowText,
  type TreeName,
  type VerifyingKey,
} from '@tributary/ledger';
import type { LedgerRows, LedgerTrees, RetiredRows, TreeExtent } from '@tributary/persistence';

export interface DatabaseVerifyPorts {
  readonly rows: Pick<LedgerRows, 'read'>;
  readonly trees: Pick<LedgerTrees, 'all' | 'leafHashes'>;
  readonly retired: Pick<RetiredRows, 'acts' | 'seal' | 'factOf' | 'bitsOf'>;
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
const leavesAtOnce = 10_000;
const progressEvery = 10_000;

/** Holds the rows of the database against what was published about them: 32 bytes a row of the largest tree are in memory. */
export async function verifyDatabase(ports: DatabaseVerifyPorts): Promise<DatabaseVerification> {
  const findings = new Findings();
  const heads = openAll(ports, findings);
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
  return notes.flatMap((note) => {
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
  const leaves = await leavesOf(ports, partition, firstOffset, to);
  const retired = await ports.retired.bitsOf(partition, firstOffset, to);
  const tree: TreeName = newest?.tree ?? { log: 'unsigned', partition, firstOffset };
  const result = await checkRange(
    { tree, from: firstOffset, to, left: Buffer.alloc(0), right: [], isWhole: true, checkpoint: newest, retired },
    {
      leafAt: (i) => leaves.subarray(i * hashBytes, (i + 1) * hashBytes),
      rows: texts(ports, partition, firstOffset, to),
    },
    own.filter((one) => one !== newest),
    findings,
  );
  const signedAt = newest ? new Date(newest.signedAtMs).toISOString() : null;
  return { partition, from: firstOffset, to, rows: result.rows, checkpoints: own.length, signedAt };
}

/** The stored hashes by their offsets; nothing but zeros where a row is missing, which is the hash of no row. */
async function leavesOf({ trees }: DatabaseVerifyPorts, partition: number, from: number, to: number): Promise<Buffer> {
  const leaves = Buffer.alloc((to - from) * hashBytes);
  for (let at = from; at < to; at += leavesAtOnce) {
    for (const { offset, hash } of await trees.leafHashes(partition, at, Math.min(to, at + leavesAtOnce))) {
      hash.copy(leaves, (offset - from) * hashBytes, 0, hashBytes);
    }
  }
  return leaves;
}

async function* texts(
  ports: DatabaseVerifyPorts,
  partition: number,
  from: number,
  to: number,
): AsyncGenerator<string, void> {
  let rows = 0;
  for await (const { row } of ports.rows.read({ partition, from, to })) {
    rows += 1;
    if (rows % progressEvery === 0) ports.onProgress?.(rows);
    yield rowText(row);
  }
}
