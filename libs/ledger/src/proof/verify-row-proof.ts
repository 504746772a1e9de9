import { type Checkpoint, openCheckpoint, originOf, signedAtOf } from '../checkpoint/checkpoint.js';
import type { VerifyingKey } from '../checkpoint/keys.js';
import { NoteRefused } from '../checkpoint/signed-note.js';
import { includes, isConsistent } from '../merkle/proofs.js';
import { type LedgerRow, leafHash, rowText } from '../row.js';
import { type Finding, Findings } from '../verify/finding.js';
import { forksIn } from '../verify/forks.js';
import { ProofUnreadable, type RowProof, readRowProof } from './row-proof.js';

export interface RowProofVerification {
  readonly holds: boolean;
  /** Undefined when the text is no proof. */
  readonly proof: RowProof | undefined;
  /** When the tree was signed that has the row; null when that signature does not hold. */
  readonly signedAt: string | null;
  /** The checkpoint from before that the tree grew out of; null when the proof names none, or its signature does not hold. */
  readonly earlier: { readonly size: number; readonly signedAt: string } | null;
  readonly findings: readonly Finding[];
  /** What is no flaw, but limits what was shown. */
  readonly notes: readonly string[];
}

export interface RowProofVerifyOptions {
  /** The document, as it lies in its file. */
  readonly bytes: Uint8Array;
  readonly keys: readonly VerifyingKey[];
  /** Signed notes that were kept elsewhere. */
  readonly checkpoints?: readonly string[];
}

/** Holds the proof of a row against the keys, and nothing else: neither Kafka nor the database need be there. */
export function verifyRowProof({ bytes, keys, checkpoints = [] }: RowProofVerifyOptions): RowProofVerification {
  const findings = new Findings();
  const proof = read(bytes, findings);
  if (!proof) return { holds: false, proof, signedAt: null, earlier: null, findings: findings.all, notes: [] };
  const open = (note: string, which: string) => opened(note, which, keys, findings);
  const head = open(proof.checkpoint, 'the checkpoint of the proof');
  const earlier = proof.earlier && open(proof.earlier.checkpoint, 'the earlier checkpoint of the proof');
  checkRow(proof, findings);
  if (head) checkInclusion(proof, head, findings);
  if (head && earlier) checkGrowth(proof, { head, earlier }, findings);
  const kept = checkpoints.flatMap((note) => open(note, 'a checkpoint from elsewhere') ?? []);
  const own = [head, earlier].filter((one) => one !== undefined);
  for (const fork of forksIn([...own, ...kept])) findings.add(fork);
  return {
    holds: findings.total === 0,
    proof,
    signedAt: head ? signedAtOf(head) : null,
    earlier: earlier ? { size: earlier.size, signedAt: signedAtOf(earlier) } : null,
    findings: findings.all,
    notes: unprovenOf(kept, own),
  };
}

function read(bytes: Uint8Array, findings: Findings): RowProof | undefined {
  try {
    return readRowProof(textOf(bytes));
  } catch (error) {
    if (!(error instanceof ProofUnreadable)) throw error;
    findings.add({ flaw: 'file', what: error.message });
    return undefined;
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new ProofUnreadable((error as Error).message);
  }
}

function opened(
  note: string,
  which: string,
  keys: readonly VerifyingKey[],
  findings: Findings,
): Checkpoint | undefined {
  try {
    return openCheckpoint(note, keys);
  } catch (error) {
    if (!(error instanceof NoteRefused)) throw error;
    const [title = ''] = note.split('\n', 1);
    findings.add({ flaw: 'checkpoint', what: `${which} (${title}) is refused: ${error.message}` });
    return undefined;
  }
}

/** Whether the row says that it stands where the proof says, and says so in one way only. */
function checkRow({ tree, index, row: text }: RowProof, findings: Findings): void {
  const { partition, firstOffset } = tree;
  const offset = firstOffset + index;
  const at = { partition, first: offset, last: offset };
  const row = rowIn(text);
  if (!row) {
    findings.add({ flaw: 'altered', what: 'the row is not a row as the ledger writes it before it is hashed', ...at });
    return;
  }
  if (row.audit_partition === partition && row.audit_offset === offset) return;
  findings.add({
    flaw: 'moved',
    what: `the proof is about offset ${offset} of partition ${partition}, its row says it is at offset ${row.audit_offset} of partition ${row.audit_partition}`,
    ...at,
  });
}

/** Undefined: it is none, or is not written the one way in which rows are hashed. */
function rowIn(text: string): LedgerRow | undefined {
  try {
    const row = JSON.parse(text) as LedgerRow;
    return rowText(row) === text ? row : undefined;
  } catch {
    // No JSON, or JSON that is no row: the caller says so.
    return undefined;
  }
}

function checkInclusion(proof: RowProof, head: Checkpoint, findings: Findings): void {
  const { partition, firstOffset } = proof.tree;
  const offset = firstOffset + proof.index;
  const flaw = inclusionFlaw(proof, head);
  if (flaw) findings.add({ ...flaw, partition, first: offset, last: offset });
}

function inclusionFlaw(
  { tree, index, size, row: text, path }: RowProof,
  head: Checkpoint,
): Pick<Finding, 'flaw' | 'what'> | undefined {
  const [origin, signed] = [originOf(tree), originOf(head.tree)];
  if (origin !== signed)
    return { flaw: 'checkpoint', what: `the proof is about the tree ${origin}, its checkpoint signs ${signed}` };
  if (size !== head.size)
    return {
      flaw: 'checkpoint',
      what: `the proof is about a tree of ${size} rows, its checkpoint signs ${head.size}`,
    };
  if (index >= size)
    return { flaw: 'unsigned', what: `the row has the index ${index}, its checkpoint signs ${size} rows` };
  const row = rowIn(text);
  if (!row || includes({ leaf: leafHash(row), index, size, root: head.root, proof: path })) return undefined;
  return {
    flaw: 'altered',
    what: `the row, its index and its path do not lead to what was signed at ${signedAtOf(head)}: one of them was changed`,
  };
}

function checkGrowth(
  { earlier: part }: RowProof,
  { head, earlier }: { head: Checkpoint; earlier: Checkpoint },
  findings: Findings,
): void {
  const { partition } = head.tree;
  const [origin, before] = [originOf(head.tree), originOf(earlier.tree)];
  if (origin !== before) {
    findings.add({
      flaw: 'checkpoint',
      partition,
      what: `the earlier checkpoint is of the tree ${before}, the proof of ${origin}`,
    });
    return;
  }
  const isGrown = isConsistent({
    before: earlier.size,
    size: head.size,
    rootBefore: earlier.root,
    root: head.root,
    proof: part?.path ?? [],
  });
  if (isGrown) return;
  findings.add({
    flaw: 'rewritten',
    partition,
    what: `it is not shown that the ${head.size} rows signed at ${signedAtOf(head)} begin with the ${earlier.size} signed at ${signedAtOf(earlier)}: rows were rewritten in between, or the path was changed`,
  });
}

/** Checkpoints that were given and that the proof does not speak about. */
function unprovenOf(kept: readonly Checkpoint[], own: readonly Checkpoint[]): string[] {
  const isTold = (one: Checkpoint) =>
    own.some(({ tree, size }) => originOf(tree) === originOf(one.tree) && size === one.size);
  const others = kept.filter((one) => !isTold(one)).length;
  if (others === 0) return [];
  return [
    `${others} of the checkpoints from elsewhere are of another tree or size than this proof: to hold one against the ledger, ask for a proof with --checkpoint`,
  ];
}
