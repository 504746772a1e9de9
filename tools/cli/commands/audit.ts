import { writeFileSync } from 'node:fs';
import { operatedRecord } from '@tributary/domain';
import { exportFolder, generateKey, joinNotes, type Verification, verifyExport } from '@tributary/ledger';
import {
  type DatabaseVerification,
  type ExportFormat,
  exportFolderSink,
  exportFormats,
  exportLedger,
  verifyDatabase,
} from '@tributary/operations';
import { LedgerRows, LedgerTrees, RetiredRows } from '@tributary/persistence';
import { type Command, Option } from 'commander';
import { acting, CommandFailure, print, reporting } from '../run.js';
import type { Session } from '../session.js';
import { keptNotes, keysIn, publishedNotes } from './audit-evidence.js';
import { renderFindings } from './audit-findings.js';
import { addRowProofCommand, verifyProofCommand } from './audit-proof.js';
import { timeOption } from './time-option.js';

export function addAuditCommands(program: Command): void {
  const audit = program.command('audit').description('exports of the ledger, and proof that nobody changed it');
  audit
    .command('new-key <name>')
    .description('make the key that signs checkpoints; the name is that of the ledger, for example acme.example/ledger')
    .requiredOption('--out <file>', 'the signing key; the public key goes beside it, with .pub at its end')
    .action(reporting(newKeyCommand));
  audit
    .command('export')
    .description('rows of the ledger in files, with what proves them; ndjson is the form that can be verified')
    .option('--from <time>', 'only records from this time on (ISO 8601 with a zone)')
    .option('--to <time>', 'only records before this time')
    .option('--tenant <id>', 'only records of this tenant')
    .addOption(new Option('--format <format>', 'form of the rows').choices(exportFormats).default('ndjson'))
    .requiredOption('--out <folder>', 'a folder that is new or empty')
    .option('--reason <text>', 'why, for the audit trail', 'export')
    .action(acting(program, exportCommand));
  addRowProofCommand(program, audit);
  audit
    .command('verify [folder]')
    .description(
      'hold an export, the proof of a row, or the database, against the public keys; exits 1 and names what is wrong',
    )
    .requiredOption('--public-key <file...>', 'public keys of the ledger, also former ones; one a line')
    .option(
      '--checkpoints <path...>',
      'checkpoints that were kept elsewhere: files, or folders with .note files in them',
    )
    .option('--proof <file>', 'the proof of a row instead of an export, as "audit proof" wrote it')
    .option('--database', 'the live ledger and the published checkpoints instead of an export')
    .option('--json', 'print the whole report as JSON')
    .action(verifyCommandOf(program));
}

async function newKeyCommand(name: string, { out }: { out: string }): Promise<void> {
  const { signingKey, verifyingKey } = generateKey(name);
  try {
    // The signing key first: whoever finds one there already keeps both files.
    writeFileSync(out, `${signingKey}\n`, { mode: 0o600, flag: 'wx' });
    writeFileSync(`${out}.pub`, `${verifyingKey}\n`, { flag: 'wx' });
  } catch (error) {
    throw new CommandFailure(`no key was written: ${(error as Error).message}`);
  }
  print(verifyingKey);
}

interface ExportOptions {
  readonly from?: string;
  readonly to?: string;
  readonly tenant?: string;
  readonly format: ExportFormat;
  readonly out: string;
  readonly reason: string;
}

async function exportCommand(session: Session, options: ExportOptions): Promise<void> {
  const { format, tenant, out, reason } = options;
  const [from, to] = [timeOption('--from', options.from), timeOption('--to', options.to)];
  if (from && to && from >= to) throw new CommandFailure('--from is not before --to');
  const manifest = await exportLedger(
    {
      rows: new LedgerRows(session.database),
      trees: new LedgerTrees(session.database),
      retired: new RetiredRows(session.database),
      notes: () => publishedNotes(session),
      sink: await exportFolderSink(out),
      nowMs: () => Date.now(),
      actor: session.actor,
      onProgress: progress('exported'),
    },
    { format, from, to, tenant },
  );
  await session.platform.audit.write(
    operatedRecord({
      action: 'exported',
      entity: `export:${manifest.createdAt}`,
      identity: `${session.actor} ${manifest.createdAt}`,
      actor: session.actor,
      occurredAtMs: Date.now(),
      reason,
      tenant,
      details: { format, rows: String(manifest.rows), from: options.from ?? '', to: options.to ?? '' },
    }),
  );
  print(`${manifest.rows} rows in ${manifest.files.length} files, with their manifest, in ${out}`);
  if (manifest.ranges.some(({ checkpoint }) => checkpoint === null)) {
    process.stderr.write(
      'tributary: some rows are not signed by any checkpoint (AUDIT_SIGNING_KEY of the audit-logger)\n',
    );
  }
}

interface VerifyOptions {
  readonly publicKey: readonly string[];
  readonly checkpoints?: readonly string[];
  readonly proof?: string;
  readonly database?: boolean;
  readonly json?: boolean;
}

/** An export and a proof are verified without a session: neither Kafka nor a database need be there. */
function verifyCommandOf(program: Command) {
  const live = acting(program, verifyDatabaseCommand);
  const offline = reporting(verifyOffline);
  return (folder: string | undefined, options: VerifyOptions): Promise<void> =>
    options.database ? live(folder, options) : offline(folder, options);
}

async function verifyOffline(folder: string | undefined, options: VerifyOptions): Promise<void> {
  const { proof } = options;
  if (proof === undefined) return verifyFolderCommand(folder, options);
  if (folder !== undefined) throw new CommandFailure('give one of a folder, --proof and --database');
  verifyProofCommand({ ...options, proof });
}

async function verifyFolderCommand(folder: string | undefined, options: VerifyOptions): Promise<void> {
  if (folder === undefined) throw new CommandFailure('name the folder of an export, or give --proof or --database');
  const verification = await verifyExport({
    files: exportFolder(folder),
    keys: keysIn(options.publicKey),
    checkpoints: joinNotes(keptNotes(options.checkpoints)),
    onProgress: progress('checked'),
  });
  print(options.json ? JSON.stringify(verification, null, 2) : renderVerification(verification));
  if (!verification.holds) process.exitCode = 1;
}

async function verifyDatabaseCommand(
  session: Session,
  folder: string | undefined,
  options: VerifyOptions,
): Promise<void> {
  if (folder !== undefined || options.proof !== undefined)
    throw new CommandFailure('give one of a folder, --proof and --database');
  const verification = await verifyDatabase({
    rows: new LedgerRows(session.database),
    trees: new LedgerTrees(session.database),
    retired: new RetiredRows(session.database),
    notes: [...(await publishedNotes(session)), ...keptNotes(options.checkpoints)],
    keys: keysIn(options.publicKey),
    onProgress: progress('checked'),
  });
  print(options.json ? JSON.stringify(verification, null, 2) : renderDatabase(verification));
  if (!verification.holds) process.exitCode = 1;
}

/** On standard error, and only for a person who waits. */
function progress(verb: string): (rows: number) => void {
  return (rows) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${rows} rows ${verb}`);
  };
}

function renderVerification({ holds, ranges, findings, moreFindings, notes }: Verification): string {
  return [
    ...ranges.map(
      ({ partition, from, to, rows, signedAt }) =>
        `partition ${partition}: ${rows} rows of offsets ${from} to ${to - 1}, ${signedAt ? `signed at ${signedAt}` : 'not signed'}`,
    ),
    ...notes.map((note) => `note: ${note}`),
    ...renderFindings(findings, moreFindings),
    holds ? '✓ the export is what was signed' : '✗ the export is not what was signed',
  ].join('\n');
}

function renderDatabase({ holds, trees, findings, moreFindings }: DatabaseVerification): string {
  return [
    ...trees.map(
      ({ partition, from, to, rows, checkpoints, signedAt }) =>
        `partition ${partition}: ${rows} rows of offsets ${from} to ${to - 1}, ${checkpoints} checkpoints, ${signedAt ? `the last of ${signedAt}` : 'not signed'}`,
    ),
    ...renderFindings(findings, moreFindings),
    holds ? '✓ the ledger is what was signed' : '✗ the ledger is not what was signed',
  ].join('\n');
}
