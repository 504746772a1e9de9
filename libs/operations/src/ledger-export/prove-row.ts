import {
  type Checkpoint,
  includes,
  isConsistent,
  leafHash,
  makeRowProof,
  originOf,
  parseCheckpoint,
  type RowProof,
  rowText,
  signedAtOf,
} from '@tributary/ledger';
import type { LedgerRows, LedgerTrees, RetiredRows, StoredRow, TreeExtent } from '@tributary/persistence';

export interface RowProofPorts {
  readonly rows: Pick<LedgerRows, 'read'>;
  readonly trees: Pick<LedgerTrees, 'all' | 'rootsOf'>;
  readonly retired: Pick<RetiredRows, 'leavesOf'>;
  /** Published checkpoint notes, in the order of their topic. */
  readonly notes: () => Promise<readonly string[]>;
}

export interface RowProofQuestion {
  readonly partition: number;
  readonly offset: number;
  /** A checkpoint that the auditor kept: the proof then shows that the ledger grew out of it. */
  readonly kept?: Checkpoint | undefined;
}

/** There is no proof of this row, or none yet; the message says what to do. */
export class RowNotProvable extends Error {
  override readonly name = 'RowNotProvable';
}

/** Makes the proof of a row out of the stored hashes of its tree: some hundred of them, however long the ledger is. */
export async function proveRow(ports: RowProofPorts, question: RowProofQuestion): Promise<RowProof> {
  const { partition, offset, kept } = question;
  // The notes first: the tree that is read after them is no smaller than what they sign.
  const checkpoints = (await ports.notes()).map(parseCheckpoint);
  const extent = (await ports.trees.all()).find((one) => one.partition === partition);
  if (!extent) {
    throw new RowNotProvable(
      `the ledger has no tree of partition ${partition}: --partition and --offset are audit_partition and audit_offset of a row`,
    );
  }
  const { row } = await rowAt(ports, extent, offset);
  const checkpoint = newestOver(extent, offset, checkpoints);
  if (kept) checkKept(kept, checkpoint);
  const index = offset - extent.firstOffset;
  const proof = await makeRowProof(
    { row: rowText(row), index, checkpoint, earlier: kept },
    ports.trees.rootsOf(extent),
  );
  checkProof(proof, { leaf: leafHash(row), checkpoint, kept });
  return proof;
}

async function rowAt(
  { rows, retired }: RowProofPorts,
  { partition, firstOffset, size }: TreeExtent,
  offset: number,
): Promise<StoredRow> {
  const found: StoredRow[] = [];
  for await (const row of rows.read({ partition, from: offset, to: offset + 1 })) found.push(row);
  const [row] = found;
  if (row && found.length === 1) return row;
  const where = `offset ${offset} of partition ${partition}`;
  if (row)
    throw new RowNotProvable(`${where} has ${found.length} rows: "tributary audit verify --database" names them`);
  if ((await retired.leavesOf(partition, offset, offset + 1)).length > 0) {
    throw new RowNotProvable(
      `the row at ${where} was retired: the ledger keeps its hash, not what it said; an export from before has both`,
    );
  }
  const isInTree = offset >= firstOffset && offset < firstOffset + size;
  throw new RowNotProvable(
    isInTree
      ? `the row at ${where} is missing though its tree has it: run "tributary audit verify --database"`
      : `there is no row at ${where}: its tree has ${size} rows from offset ${firstOffset} on`,
  );
}

function newestOver(
  { partition, firstOffset, size }: TreeExtent,
  offset: number,
  all: readonly Checkpoint[],
): Checkpoint {
  const own = all.filter(({ tree }) => tree.partition === partition && tree.firstOffset === firstOffset);
  const newest = own.reduce<Checkpoint | undefined>(
    (best, one) => (one.size > (best?.size ?? -1) ? one : best),
    undefined,
  );
  if (!newest) {
    throw new RowNotProvable(
      `nobody has signed the tree of partition ${partition} yet: the audit-logger does, AUDIT_CHECKPOINT_SECONDS (10 unless set) after it has AUDIT_SIGNING_KEY`,
    );
  }
  if (newest.size > size) {
    throw new RowNotProvable(
      `${newest.size} rows of partition ${partition} were signed at ${signedAtOf(newest)} and its tree has ${size}: the ledger was set back; run "tributary audit verify --database"`,
    );
  }
  if (offset - firstOffset < newest.size) return newest;
  throw new RowNotProvable(
    `no checkpoint covers offset ${offset} of partition ${partition} yet: the last one, of ${signedAtOf(newest)}, ends before offset ${firstOffset + newest.size}. The next is due AUDIT_CHECKPOINT_SECONDS (10 unless set) after that row was written: ask again then; if there is none, ledger_trees_refused of the audit-logger tells`,
  );
}

function checkKept(kept: Checkpoint, newest: Checkpoint): void {
  const [mine, theirs] = [originOf(kept.tree), originOf(newest.tree)];
  if (mine !== theirs) {
    throw new RowNotProvable(
      `the checkpoint you kept is of the tree ${mine}, the row is in ${theirs}: give one whose first line is that`,
    );
  }
  if (kept.size <= newest.size) return;
  throw new RowNotProvable(
    `the checkpoint you kept signs ${kept.size} rows, the newest published one ${newest.size}: the ledger was set back, or checkpoints are missing from their topic; run "tributary audit verify --database --checkpoints" with yours`,
  );
}

interface Claimed {
  readonly leaf: Buffer;
  readonly checkpoint: Checkpoint;
  readonly kept: Checkpoint | undefined;
}

/** Nobody is handed a proof that does not hold: whoever asked learns here that the ledger is not what was signed. */
function checkProof({ index, size, path, earlier }: RowProof, { leaf, checkpoint, kept }: Claimed): void {
  const { root } = checkpoint;
  if (!includes({ leaf, index, size, root, proof: path })) {
    throw new RowNotProvable(
      `the row does not lead to what was signed at ${signedAtOf(checkpoint)}: it, or a hash of its tree, was changed; run "tributary audit verify --database"`,
    );
  }
  if (!kept || !earlier) return;
  if (isConsistent({ before: kept.size, size, rootBefore: kept.root, root, proof: earlier.path })) return;
  throw new RowNotProvable(
    `the ${size} rows signed at ${signedAtOf(checkpoint)} do not begin with the ${kept.size} rows of the checkpoint you kept, of ${signedAtOf(kept)}: the ledger was rewritten, or yours is no checkpoint of it; run "tributary audit verify --database --checkpoints" with yours`,
  );
}
