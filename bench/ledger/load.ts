import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Database,
  DataKeys,
  defaultKeysUrl,
  Ledger,
  type LedgerEntry,
  LedgerKeys,
  type PreparedBatch,
  prepareKeyDatabase,
} from '@tributary/persistence';
import { storyOf } from '../audit/records.js';

/** Partitions of the audit topic. */
export const partitions = 6;
const batchRows = 2_000;
/** One event so often: 10 million rows are 29 days. */
const eventEveryMs = 1_340;
const rowsPerEvent = 5.3;
const sayEvery = 250_000;

interface Progress {
  readonly [column: string]: unknown;
  readonly events: string;
  readonly rows: string;
  readonly beganAtMs: string;
}

export interface LoadOptions {
  readonly database: Database;
  readonly url: string;
  /** Where the keys of the ledger are kept beside the data. */
  readonly folder: string;
  readonly rows: number;
  readonly untilMs: number;
  readonly say: (line: string) => void;
}

/** Writes stories with the ledger's own writer until there are so many rows, or the time is up. @returns how many there are. */
export async function loadRows({ database, url, folder, rows, untilMs, say }: LoadOptions): Promise<number> {
  await prepareKeyDatabase(defaultKeysUrl(url));
  const options = { applicationName: 'bench', onIdleError: () => undefined };
  const keyDatabase = new Database({ ...options, url: defaultKeysUrl(url), maxConnections: 2 });
  const dataKeys = new DataKeys({ database: keyDatabase, keys: keysIn(folder), nowMs: Date.now });
  const ledger = new Ledger({ database, dataKeys });
  try {
    const progress = await progressOf(database, rows);
    let written = Number(progress.rows);
    let saidAt = written;
    // While one batch is written, the next is made.
    let writing: Promise<void> = Promise.resolve();
    for (const batch of batches(Number(progress.events), written, Number(progress.beganAtMs))) {
      if (written >= rows || Date.now() > untilMs) break;
      const prepared = await ledger.prepareRows(batch.entries);
      await writing;
      writing = write(database, ledger, prepared, batch);
      written = batch.rows;
      if (written - saidAt < sayEvery) continue;
      say(`${written} rows`);
      saidAt = written;
    }
    await writing;
    return written;
  } finally {
    await keyDatabase.close();
  }
}

interface Batch {
  readonly entries: readonly LedgerEntry[];
  /** Events and rows that there are with this batch. */
  readonly events: number;
  readonly rows: number;
}

async function write(database: Database, ledger: Ledger, prepared: PreparedBatch, batch: Batch): Promise<void> {
  await ledger.writePrepared([prepared]);
  // What was written and is not remembered here is written once more, which changes nothing.
  await database.query('UPDATE bench.progress SET events = $1, rows = $2', [batch.events, batch.rows]);
}

function* batches(firstEvent: number, firstRow: number, beganAtMs: number): Generator<Batch> {
  let entries: LedgerEntry[] = [];
  let rows = firstRow;
  for (let n = firstEvent; ; n++) {
    for (const record of storyOf(n, beganAtMs + n * eventEveryMs).records) {
      const offset = BigInt(Math.floor(rows / partitions));
      entries.push({ partition: rows % partitions, offset, timestampMs: record.occurredAt, record });
      rows += 1;
    }
    if (entries.length < batchRows) continue;
    yield { entries, events: n + 1, rows };
    entries = [];
  }
}

async function progressOf(database: Database, rows: number): Promise<Progress> {
  await database.query('CREATE SCHEMA IF NOT EXISTS bench');
  await database.query('CREATE TABLE IF NOT EXISTS bench.progress (events bigint, rows bigint, began_at_ms bigint)');
  const beganAtMs = Date.now() - (rows / rowsPerEvent) * eventEveryMs;
  await database.query(
    'INSERT INTO bench.progress SELECT 0, 0, $1::bigint WHERE NOT EXISTS (SELECT FROM bench.progress)',
    [Math.floor(beganAtMs)],
  );
  const [progress] = await database.query<Progress>(
    'SELECT events::text, rows::text, began_at_ms::text AS "beganAtMs" FROM bench.progress',
  );
  if (!progress) throw new Error('bench.progress has no row');
  return progress;
}

function keysIn(folder: string): LedgerKeys {
  const file = join(folder, 'ledger-keys');
  if (!existsSync(file)) writeFileSync(file, LedgerKeys.generate(randomBytes(4).toString('hex')), { mode: 0o600 });
  return LedgerKeys.parse(readFileSync(file, 'utf8'));
}
