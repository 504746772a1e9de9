import { writeFileSync } from 'node:fs';
import { operatedRecord } from '@tributary/domain';
import {
  type Checkpoint,
  NoteRefused,
  originOf,
  parseCheckpoint,
  type RowProof,
  type RowProofVerification,
  verifyRowProof,
  writeRowProof,
} from '@tributary/ledger';
import { proveRow } from '@tributary/operations';
import { LedgerRows, LedgerTrees, RetiredRows } from '@tributary/persistence';
import { type Command } from 'commander';
import { acting, CommandFailure, print } from '../run.js';
import type { Session } from '../session.js';
import { oneLine } from '../table.js';
import { bytesIn, keptNotes, keysIn, publishedNotes } from './audit-evidence.js';
import { renderFindings } from './audit-findings.js';

export function addRowProofCommand(program: Command, audit: Command): void {
  audit
    .command('proof')
    .description(
      'one row of the ledger with what leads from it to a signed checkpoint; "audit verify --proof" holds it',
    )
    .requiredOption('--partition <n>', 'partition of the audit topic: audit_partition of the row')
    .requiredOption('--offset <n>', 'offset in it: audit_offset of the row')
    .option('--checkpoint <file>', 'a checkpoint that you kept; the proof shows as well that the ledger grew out of it')
    .option('--out <file>', 'a file that is not there yet; default: standard output')
    .option('--reason <text>', 'why, for the audit trail', 'proof')
    .action(acting(program, proofCommand));
}

interface ProofOptions {
  readonly partition: string;
  readonly offset: string;
  readonly checkpoint?: string;
  readonly out?: string;
  readonly reason: string;
}

async function proofCommand(session: Session, options: ProofOptions): Promise<void> {
  const [partition, offset] = [place('--partition', options.partition), place('--offset', options.offset)];
  const kept = options.checkpoint === undefined ? undefined : keptCheckpoint(options.checkpoint);
  const proof = await proveRow(
    {
      rows: new LedgerRows(session.database),
      trees: new LedgerTrees(session.database),
      retired: new RetiredRows(session.database),
      notes: () => publishedNotes(session),
    },
    { partition, offset, kept },
  );
  // Before the first byte of it: nobody gets a row without a trace.
  await tellExported(session, proof, options.reason);
  const text = writeRowProof(proof);
  if (options.out === undefined) return print(text.trimEnd());
  write(options.out, text);
  print(
    `the row at offset ${offset} of partition ${partition}, one of ${proof.size} that were signed, with its proof, in ${options.out}`,
  );
}

function place(option: string, text: string): number {
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new CommandFailure(`${option} is ${text}; it must be a whole number from 0 on`);
}

function keptCheckpoint(file: string): Checkpoint {
  const [note, ...more] = keptNotes([file]);
  if (note === undefined || more.length > 0) {
    throw new CommandFailure(
      `${file} has ${note === undefined ? 'no' : more.length + 1} checkpoints: put the one that the proof should begin with into a file of its own`,
    );
  }
  try {
    return parseCheckpoint(note);
  } catch (error) {
    if (!(error instanceof NoteRefused)) throw error;
    throw new CommandFailure(`${file} is damaged, or is no checkpoint: ${error.message}`);
  }
}

async function tellExported(session: Session, { tree, index, checkpoint }: RowProof, reason: string): Promise<void> {
  const { partition, firstOffset } = tree;
  const occurredAtMs = Date.now();
  const entity = `proof:${partition}/${firstOffset + index}`;
  await session.platform.audit.write(
    operatedRecord({
      action: 'exported',
      entity,
      identity: `${session.actor} ${entity} ${new Date(occurredAtMs).toISOString()}`,
      actor: session.actor,
      occurredAtMs,
      reason,
      details: { rows: '1', checkpoint: checkpoint.split('\n', 2).join(' ') },
    }),
  );
}

function write(out: string, text: string): void {
  try {
    writeFileSync(out, text, { flag: 'wx' });
  } catch (error) {
    throw new CommandFailure(`no proof was written: ${(error as Error).message}`);
  }
}

interface VerifyProofOptions {
  readonly proof: string;
  readonly publicKey: readonly string[];
  readonly checkpoints?: readonly string[];
  readonly json?: boolean;
}

export function verifyProofCommand(options: VerifyProofOptions): void {
  const verification = verifyRowProof({
    bytes: bytesIn(options.proof),
    keys: keysIn(options.publicKey),
    checkpoints: keptNotes(options.checkpoints),
  });
  print(options.json ? JSON.stringify(forMachines(verification), null, 2) : renderRowProof(verification));
  if (!verification.holds) process.exitCode = 1;
}

/** Hashes as they stand in the file. */
const forMachines = ({ proof, ...rest }: RowProofVerification): object => ({
  ...rest,
  proof: proof ? JSON.parse(writeRowProof(proof)) : null,
});

function renderRowProof({ holds, proof, signedAt, earlier, findings, notes }: RowProofVerification): string {
  return [
    ...(proof ? [aboutRow(proof, signedAt)] : []),
    ...(earlier && holds ? [`  grown out of the ${earlier.size} rows signed at ${earlier.signedAt}`] : []),
    ...(holds && proof ? [oneLine(proof.row, Number.POSITIVE_INFINITY)] : []),
    ...notes.map((note) => `note: ${note}`),
    ...renderFindings(findings, 0),
    holds ? '✓ the row is what was signed' : '✗ it is not shown that the row is what was signed',
  ].join('\n');
}

const aboutRow = ({ tree, index, size }: RowProof, signedAt: string | null): string =>
  `offset ${tree.firstOffset + index} of partition ${tree.partition}: row ${index} of the ${size} rows of ${originOf(tree)}, ${signedAt ? `signed at ${signedAt}` : 'not signed'}`;
