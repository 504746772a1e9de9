import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Checkpoint as CheckpointRecord } from '@tributary/contracts';
import { topics } from '@tributary/contracts';
import { operatedRecord } from '@tributary/domain';
import { scanTopic } from '@tributary/kafka';
import {
  exportFolder,
  type Finding,
  generateKey,
  joinNotes,
  parseVerifyingKey,
  splitNotes,
  type Verification,
  type VerifyingKey,
  verifyExport,
} from '@tributary/ledger';
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
  audit
    .command('verify [folder]')
    .description('hold an export, or the database, against the public keys; exits 1 and names what is wrong')
    .requiredOption('--public-key <file...>', 'public keys of the ledger, also former ones; one a line')
    .option(
      '--checkpoints <path...>',
      'checkpoints that were kept elsewhere: files, or folders with .note files in them',
    )
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
  readonly database?: boolean;
  readonly json?: boolean;
}

/** An export is verified without a session: neither Kafka nor a database need be there. */
function verifyCommandOf(program: Command) {
  const live = acting(program, verifyDatabaseCommand);
  const offline = reporting(verifyFolderCommand);
  return (folder: string | undefined, options: VerifyOptions): Promise<void> =>
    options.database ? live(folder, options) : offline(folder, options);
}

async function verifyFolderCommand(folder: string | undefined, options: VerifyOptions): Promise<void> {
  if (folder === undefined) throw new CommandFailure('name the folder of an export, or give --database');
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
  if (folder !== undefined) throw new CommandFailure('give either a folder or --database');
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

async function publishedNotes(session: Session): Promise<string[]> {
  const { client, codec } = session.platform;
  const values: Buffer[] = [];
  await scanTopic({
    client,
    topic: topics.auditCheckpoints.name,
    onRecord: ({ value }) => {
      if (value) values.push(value);
    },
  });
  const notes: string[] = [];
  for (const value of values) {
    notes.push((await codec.decode<CheckpointRecord>(value, 'tributary.audit.Checkpoint')).value.note);
  }
  return notes;
}

/** A folder is a bucket that was copied: each checkpoint a file, in folders by tree. */
function keptNotes(paths: readonly string[] = []): string[] {
  return paths.flatMap((path) => {
    if (!isFolder(path)) return splitNotes(textIn(path));
    const files = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.note'));
    if (files.length === 0) throw new CommandFailure(`${path} has no checkpoint: no file in it ends with .note`);
    return files.sort().map((name) => textIn(join(path, name)));
  });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function keysIn(files: readonly string[]): VerifyingKey[] {
  const lines = files.flatMap((file) => textIn(file).split('\n'));
  return lines.filter((line) => line.trim() !== '').map(parseVerifyingKey);
}

function textIn(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandFailure((error as Error).message);
  }
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

function renderFindings(findings: readonly Finding[], more: number): string[] {
  const lines = findings.map(({ flaw, partition, what }) => {
    const where = partition === undefined ? '' : ` partition ${partition}:`;
    return `✗ ${flaw}:${where} ${what}`;
  });
  return more > 0 ? [...lines, `  and ${more} more`] : lines;
}
