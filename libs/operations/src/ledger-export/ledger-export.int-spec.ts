import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import type { AuditRecord } from '@tributary/contracts';
import { operatedRecord } from '@tributary/domain';
import {
  type Checkpoint,
  exportFolder,
  generateKey,
  leafHash,
  parseSigningKey,
  parseVerifyingKey,
  signCheckpoint,
  verifyExport,
} from '@tributary/ledger';
import { type Database, Ledger, LedgerRows, LedgerTrees, RetiredRows } from '@tributary/persistence';
import { TreeKeeper } from '@tributary/pipeline';
import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { anAcceptedRecord } from '../../../persistence/src/testing/an-accepted-record.js';
import { withMigratedDatabase } from '../../../persistence/src/testing/migrated-database.js';
import { oneDataKey } from '../../../persistence/src/testing/one-data-key.js';
import { tamper } from '../../../persistence/src/testing/tamper.js';
import { exportFolderSink } from './export-folder-sink.js';
import { type ExportRequest, exportLedger } from './export-ledger.js';
import { verifyDatabase } from './verify-database.js';

const held = withMigratedDatabase();
const log = 'acme.example/ledger';
const keyPair = generateKey(log);
const signing = parseSigningKey(keyPair.signingKey);
const verifying = parseVerifyingKey(keyPair.verifyingKey);
const january = Date.UTC(2026, 0, 15);
let database: Database;
let ledger: Ledger;
let published: Checkpoint[];

beforeAll(() => {
  ({ database } = held);
  ledger = new Ledger({ database, dataKeys: oneDataKey() });
});
beforeEach(async () => {
  published = [];
  await tamper(
    database,
    'TRUNCATE ledger.audit_record, ledger.position, ledger.destination_month, ledger.tree, ledger.tree_node, ledger.retirement, ledger.retired_row, ledger.retention, ledger.legal_hold',
  );
});

const aRecord = (offset: number, over: Partial<AuditRecord> = {}): AuditRecord => ({
  ...anAcceptedRecord(offset, {
    occurredAtMs: january + offset,
    tenant: offset % 4 === 0 ? 'other' : 'acme',
    subject: `person-${offset}`,
  }),
  ...over,
});

/** A record a minute, so that a window of time is a range of offsets. */
const timeOf = (offset: number): number => january + offset * 60_000;

async function write(from: number, to: number, over: Partial<AuditRecord> = {}, partition = 0): Promise<void> {
  const entries = Array.from({ length: to - from }, (_, i) => ({
    partition,
    offset: BigInt(from + i),
    timestampMs: timeOf(from + i),
    record: aRecord(from + i, over),
  }));
  await ledger.write(entries);
}

async function sign(partitions: readonly number[] = [0]): Promise<void> {
  const fail = (fields: unknown) => {
    throw new Error(JSON.stringify(fields));
  };
  await new TreeKeeper(log, {
    trees: new LedgerTrees(database),
    lowOffset: async () => 0,
    partitions: () => partitions,
    lastNote: (partition) => published.findLast(({ tree }) => tree.partition === partition)?.note,
    keys: () => ({ signing, former: [] }),
    publish: async (checkpoint) => void published.push(checkpoint),
    nowMs: () => timeOf(5_000),
    logger: { debug: () => undefined, info: () => undefined, warn: fail, error: fail },
  }).keep();
}

async function exported(request: ExportRequest): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-export-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await exportLedger(
    {
      rows: new LedgerRows(database),
      trees: new LedgerTrees(database),
      retired: new RetiredRows(database),
      notes: async () => published.map(({ note }) => note),
      sink: await exportFolderSink(folder),
      nowMs: () => timeOf(6_000),
      actor: 'spec',
    },
    request,
  );
  return folder;
}

const verify = (folder: string) => verifyExport({ files: exportFolder(folder), keys: [verifying] });
const verifyLive = () =>
  verifyDatabase({
    rows: new LedgerRows(database),
    trees: new LedgerTrees(database),
    retired: new RetiredRows(database),
    notes: published.map(({ note }) => note),
    keys: [verifying],
  });

async function duckdb(query: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(query)).getRowObjectsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

describe('a row of the database', () => {
  it('is read exactly as it was hashed when it was written, whatever was in the record', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 30 });
    const nullable = fc.option(text);
    const records = fc.record({
      action: text,
      actor: text,
      eventId: nullable,
      subject: nullable,
      reason: nullable,
      entity: nullable,
      occurredAt: fc.integer({ min: -(10 ** 12), max: 10 ** 13 }),
      durationMs: fc.maxSafeInteger(),
      originOffset: fc.maxSafeInteger(),
      attempt: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      details: fc.dictionary(fc.oneof(text, fc.nat(20).map(String), fc.constant('__proto__')), text, { maxKeys: 4 }),
      deliveries: fc.array(
        fc.record({ deliveryId: text, subscriptionId: text, connectionId: text, destination: text, operation: text }),
        { maxLength: 2 },
      ),
    });
    let offset = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(records, { minLength: 1, maxLength: 20 }), async (batch) => {
        const from = offset;
        const entries = batch.map((over) => ({
          partition: 0,
          offset: BigInt(offset),
          timestampMs: january + offset++,
          // As Avro gives it: half a character never comes out of UTF-8.
          record: JSON.parse(wellFormed(JSON.stringify(aRecord(0, over as Partial<AuditRecord>)))) as AuditRecord,
        }));
        await ledger.write(entries);
        for await (const { row, leafHash: stored } of new LedgerRows(database).read({
          partition: 0,
          from,
          to: offset,
        })) {
          expect(leafHash(row)).toEqual(stored);
        }
      }),
      { numRuns: 60 },
    );
  });
});

const wellFormed = (json: string): string => json.replace(/(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/gi, '$1\\ufffd');

describe('an export as ndjson', () => {
  it('is verified with nothing but the public key', async () => {
    await write(0, 300);
    await write(0, 20, {}, 1);
    await sign([0, 1]);
    await write(300, 700);
    await sign([0, 1]);
    // Not signed yet, so left out.
    await write(700, 710);
    const folder = await exported({ format: 'ndjson' });
    const verification = await verify(folder);
    expect(verification.findings).toEqual([]);
    expect(verification.ranges).toMatchObject([
      { partition: 0, from: 0, to: 700, rows: 700 },
      { partition: 1, from: 0, to: 20, rows: 20 },
    ]);
    expect(verification.manifest).toMatchObject({ createdBy: 'spec', rows: 720, rowFormat: 'ndjson' });
  });

  it('of a window of time, and of one tenant, is verified as well', async () => {
    await write(0, 700);
    await sign();
    const request = { from: new Date(timeOf(300)), to: new Date(timeOf(450)) };
    const window = await verify(await exported({ format: 'ndjson', ...request }));
    expect(window.findings).toEqual([]);
    expect(window.ranges).toMatchObject([{ from: 300, to: 450, rows: 150 }]);
    const tenant = await verify(await exported({ format: 'ndjson', ...request, tenant: 'other' }));
    expect(tenant.findings).toEqual([]);
    expect(tenant.ranges[0]?.rows).toBe(38);
  });

  it('holds nothing personal in plaintext', async () => {
    await write(0, 5, { subject: 'ada@example.com', reason: 'Ada Lovelace was refused' });
    await sign();
    for (const format of ['ndjson', 'csv', 'parquet', 'ocsf'] as const) {
      const folder = await exported({ format });
      const { files } = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as {
        files: { name: string }[];
      };
      for (const { name } of files) {
        const bytes = await readFile(join(folder, name));
        expect(bytes.includes('ada@example.com') || bytes.includes('Lovelace')).toBe(false);
      }
    }
  });

  it('of a ledger that was tampered with before is refused, and the row named', async () => {
    await write(0, 300);
    await sign();
    await tamper(database, "UPDATE ledger.audit_record SET actor = 'nobody' WHERE audit_offset = 123");
    const { findings } = await verify(await exported({ format: 'ndjson' }));
    expect(findings).toEqual([expect.objectContaining({ flaw: 'altered', partition: 0, first: 123, last: 123 })]);
  });

  it('goes into a folder of its own only', async () => {
    await write(0, 3);
    await sign();
    const folder = await exported({ format: 'ndjson' });
    await expect(exportFolderSink(folder)).rejects.toThrow('is not empty');
  });

  it('is refused when there is nothing', async () => {
    await expect(exported({ format: 'ndjson' })).rejects.toThrow('no trees yet');
    await write(0, 3);
    await sign();
    for (const request of [{ from: new Date(timeOf(9)) }, { to: new Date(timeOf(0)) }])
      await expect(exported({ format: 'csv', ...request })).rejects.toThrow('no signed row of this time');
  });
});

describe('an export as CSV', () => {
  it('never begins a cell with a formula, and is read back as it was', async () => {
    const hostile = [
      '=1+1',
      '+1',
      '-1',
      '@SUM(A1)',
      '\t=1',
      '\r=1',
      ' =1',
      '\n=1',
      '\uff1d1',
      '"quoted", and\nbroken',
      'plain',
    ];
    for (const [i, entity] of hostile.entries()) {
      const record = operatedRecord({
        action: 'applied',
        entity,
        identity: String(i),
        actor: 'cli/ada',
        occurredAtMs: january,
        reason: '',
      });
      await ledger.write([{ partition: 0, offset: BigInt(i), timestampMs: timeOf(i), record }]);
    }
    await sign();
    const folder = await exported({ format: 'csv' });
    const file = join(folder, 'rows-0.csv');
    const rows = await duckdb(
      `SELECT audit_offset, entity, recorded_at FROM read_csv('${file}', header = true, all_varchar = true) ORDER BY audit_offset::int`,
    );
    expect(rows).toHaveLength(hostile.length);
    for (const [i, { entity, recorded_at }] of rows.entries()) {
      const original = hostile[i] as string;
      expect(entity).toBe(i < hostile.length - 2 ? `'${original}` : original);
      expect(recorded_at).toBe(new Date(timeOf(i)).toISOString());
    }
  });

  it('says of itself that it cannot be verified, and its digests hold', async () => {
    await write(0, 10);
    await sign();
    const folder = await exported({ format: 'csv' });
    const { findings } = await verify(folder);
    expect(findings).toEqual([expect.objectContaining({ flaw: 'unsigned', what: expect.stringContaining('csv') })]);
    await writeFile(join(folder, 'rows-0.csv'), 'other');
    expect((await verify(folder)).findings.map(({ flaw }) => flaw)).toContain('file');
  });
});

describe('an export as Parquet', () => {
  it('is read by DuckDB with types, and says what the database says', async () => {
    await write(0, 450);
    await sign();
    const folder = await exported({ format: 'parquet' });
    const file = join(folder, 'rows-0.parquet');
    const [summary] = await duckdb(
      `SELECT count(*)::int AS rows, count(DISTINCT event_id)::int AS events, min(audit_offset)::int AS first,
              max(audit_offset)::int AS last, count(*) FILTER (WHERE tenant = 'other')::int AS others,
              count(*) FILTER (WHERE delivery_id IS NULL)::int AS without_delivery,
              max(epoch_ms(recorded_at))::bigint AS newest, sum(octet_length(personal))::int > 0 AS has_personal
       FROM read_parquet('${file}')`,
    );
    expect(summary).toEqual({
      rows: 450,
      events: 450,
      first: 0,
      last: 449,
      others: 113,
      without_delivery: 450,
      newest: String(timeOf(449)),
      has_personal: true,
    });
    const types = await duckdb(
      `DESCRIBE SELECT recorded_at, audit_offset, attempt, tenant, details, personal FROM read_parquet('${file}')`,
    );
    expect(types.map(({ column_type }) => column_type)).toEqual([
      'TIMESTAMP',
      'BIGINT',
      'INTEGER',
      'VARCHAR',
      'JSON',
      'BLOB',
    ]);
    const [one] = await duckdb(
      `SELECT details ->> 'eventIds' AS ids, octet_length(personal) AS bytes FROM read_parquet('${file}') WHERE audit_offset = 7`,
    );
    const [same] = await database.query(
      "SELECT details ->> 'eventIds' AS ids, octet_length(personal)::text AS bytes FROM ledger.audit_record WHERE audit_offset = 7",
    );
    expect({ ...one, bytes: String(one?.bytes) }).toEqual(same);
  });

  it('is what the analyst’s example queries', async () => {
    await write(0, 10);
    await write(0, 5, {}, 1);
    await sign([0, 1]);
    const folder = await exported({ format: 'parquet' });
    const script = join(import.meta.dirname, '../../../../examples/analyst/query-parquet.mjs');
    const { stdout } = await promisify(execFile)(process.execPath, [script, folder]);
    // The rows of partition 1 tell five of the facts of partition 0 once more.
    expect(stdout).toMatch(/'normalizer'.*'accepted'.*'normalized'.*10/);
  });

  it('has all its columns when there is no row', async () => {
    await write(0, 4);
    await sign();
    const folder = await exported({ format: 'parquet', tenant: 'nobody' });
    expect(await duckdb(`SELECT tenant, recorded_at FROM read_parquet('${join(folder, 'rows-0.parquet')}')`)).toEqual(
      [],
    );
  });
});

describe('the live ledger', () => {
  it('holds', async () => {
    await write(0, 300);
    await sign();
    await write(300, 500);
    await sign();
    const { findings, trees } = await verifyLive();
    expect(findings).toEqual([]);
    expect(trees).toMatchObject([{ partition: 0, from: 0, to: 500, rows: 500, checkpoints: 2 }]);
  });

  const rewriteTree = 'UPDATE ledger.tree SET size = 299';
  it.each<[string, string[], string, number | undefined]>([
    ['an edited row', ["UPDATE ledger.audit_record SET outcome = 'x' WHERE audit_offset = 41"], 'altered', 41],
    ['an edited ciphertext', ["UPDATE ledger.audit_record SET personal = 'x' WHERE audit_offset = 41"], 'altered', 41],
    [
      'an edited time',
      ["UPDATE ledger.audit_record SET occurred_at = occurred_at + interval '1 ms' WHERE audit_offset = 41"],
      'altered',
      41,
    ],
    ['a deleted row', ['DELETE FROM ledger.audit_record WHERE audit_offset = 41'], 'missing', 41],
    ['a cut tail', ['DELETE FROM ledger.audit_record WHERE audit_offset >= 290', rewriteTree], 'truncated', 290],
    [
      'a row that is there twice',
      [
        'INSERT INTO ledger.audit_record SELECT (r).* FROM (SELECT jsonb_populate_record(a, \'{"recorded_at": "2026-01-15T00:00:01Z"}\') AS r FROM ledger.audit_record a WHERE audit_offset = 41) AS x',
      ],
      'inserted',
      41,
    ],
    [
      'two rows that exchanged their offsets',
      [
        'UPDATE ledger.audit_record SET audit_offset = 1000 WHERE audit_offset = 41',
        'UPDATE ledger.audit_record SET audit_offset = 41 WHERE audit_offset = 57',
        'UPDATE ledger.audit_record SET audit_offset = 57 WHERE audit_offset = 1000',
      ],
      'altered',
      41,
    ],
    [
      'a row that was edited together with its hash',
      ["UPDATE ledger.audit_record SET outcome = 'x', leaf_hash = sha256('x') WHERE audit_offset = 141"],
      'altered',
      141,
    ],
  ])('is refused after %s, which is named', async (_, statements, flaw, offset) => {
    await write(0, 100);
    await sign();
    await write(100, 300);
    await sign();
    await tamper(database, ...statements);
    const { holds, findings } = await verifyLive();
    expect(holds).toBe(false);
    expect(findings).toContainEqual(expect.objectContaining({ flaw, partition: 0, first: offset }));
  });

  it('is refused when a row was rewritten with its right hash, between the checkpoints around it', async () => {
    await write(0, 100);
    await sign();
    await write(100, 300);
    await sign();
    await tamper(database, "UPDATE ledger.audit_record SET outcome = 'x' WHERE audit_offset = 141");
    for await (const { row } of new LedgerRows(database).read({ partition: 0, from: 141, to: 142 })) {
      const hash = leafHash(row).toString('hex');
      await tamper(database, `UPDATE ledger.audit_record SET leaf_hash = '\\x${hash}' WHERE audit_offset = 141`);
    }
    const { findings } = await verifyLive();
    expect(findings).toEqual([expect.objectContaining({ flaw: 'rewritten', first: 100, last: 299 })]);
  });

  it('is refused when whoever holds the key signed two stories of it', async () => {
    await write(0, 10);
    await sign();
    const [honest] = published as [Checkpoint];
    published.push(signCheckpoint({ ...honest, root: Buffer.alloc(32, 7) }, [signing]));
    const { findings } = await verifyLive();
    expect(findings).toContainEqual(expect.objectContaining({ flaw: 'forked', partition: 0 }));
  });

  it('is refused when its trees are gone', async () => {
    await write(0, 10);
    await sign();
    await database.query('TRUNCATE ledger.tree');
    const { findings } = await verifyLive();
    expect(findings.map(({ flaw }) => flaw)).toContain('missing');
  });
});
