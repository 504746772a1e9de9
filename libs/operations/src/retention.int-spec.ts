import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditRecord } from '@tributary/contracts';
import { acceptedRecord, operatedRecord, settledRecord } from '@tributary/domain';
import {
  type Checkpoint,
  exportFolder,
  generateKey,
  parseSigningKey,
  parseVerifyingKey,
  verifyExport,
} from '@tributary/ledger';
import {
  Ledger,
  LedgerMonths,
  LedgerRows,
  LedgerTrees,
  LegalHolds,
  type RecordClass,
  RetentionPolicies,
  RetiredRows,
} from '@tributary/persistence';
import { TreeKeeper } from '@tributary/pipeline';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { withMigratedDatabase } from '../../persistence/src/testing/migrated-database.js';
import { oneDataKey } from '../../persistence/src/testing/one-data-key.js';
import { tamper } from '../../persistence/src/testing/tamper.js';
import { exportFolderSink } from './ledger-export/export-folder-sink.js';
import { exportLedger } from './ledger-export/export-ledger.js';
import { verifyDatabase } from './ledger-export/verify-database.js';
import { BadRetention, Retention } from './retention.js';
import { Retirement } from './retirement.js';
import { RetirementLog } from './retirement-log.js';

const held = withMigratedDatabase();
const { signingKey, verifyingKey } = generateKey('acme.example/ledger');
const dayMs = 86_400_000;
const now = Date.UTC(2026, 5, 15);
const by = { actor: 'cli/ada', reason: 'the contract ended' };
let published: Checkpoint[];
let next: number;

beforeEach(async () => {
  published = [];
  next = 0;
  await tamper(
    held.database,
    'TRUNCATE ledger.audit_record, ledger.position, ledger.tree, ledger.tree_node, ledger.retirement, ledger.retired_row, ledger.retention, ledger.legal_hold',
  );
  await held.database.query('DROP SCHEMA IF EXISTS ledger_retired CASCADE');
});

async function tell(...records: ReadonlyArray<{ readonly record: AuditRecord; readonly daysAgo: number }>) {
  const ledger = new Ledger({ database: held.database, dataKeys: oneDataKey() });
  await ledger.write(
    records.map(({ record, daysAgo }, i) => ({
      partition: 0,
      offset: BigInt(next + i),
      timestampMs: now - daysAgo * dayMs,
      record,
    })),
  );
  next += records.length;
}

const facts = (tenant: string, n: number) => ({
  actor: 'x/1',
  occurredAtMs: now,
  tenant,
  eventSource: '/in',
  eventId: `${tenant}-${n}`,
  subject: `person-${n % 3}`,
  payloadDigest: '',
});

const makers: Readonly<Record<RecordClass, (tenant: string, n: number) => AuditRecord>> = {
  acceptance: (tenant, n) =>
    acceptedRecord({
      ...facts(tenant, n),
      origin: { topic: 'raw.gusto.v1', partition: 0, offset: n },
      outcome: 'normalized',
      source: 'gusto',
      connectionId: 'in',
      eventIds: [`${tenant}-${n}`],
    }),
  delivery: (tenant, n) =>
    settledRecord({
      ...facts(tenant, n),
      origin: { topic: 'delivery.http.v1', partition: 0, offset: n },
      deliveryId: `d-${tenant}-${n}`,
      subscriptionId: 's',
      connectionId: 'c',
      destination: 'http',
      operation: 'send',
      attempt: 1,
      durationMs: 1,
      outcome: 'delivered',
      acceptedAtMs: now,
    }),
  operations: (tenant, n) =>
    operatedRecord({
      ...by,
      action: 'applied',
      entity: `connection:${n}`,
      occurredAtMs: now,
      tenant,
      identity: `${n}`,
    }),
};

/** Of two tenants and each class, a row of 400, 200 and 10 days ago: 18 rows. */
async function someRows() {
  let n = 0;
  for (const daysAgo of [400, 200, 10]) {
    for (const tenant of ['acme', 'globex']) {
      for (const make of Object.values(makers)) await tell({ record: make(tenant, n++), daysAgo });
    }
  }
  await sign();
}

async function sign() {
  const fail = (problem: unknown) => {
    throw new Error(JSON.stringify(problem));
  };
  await new TreeKeeper('acme.example/ledger', {
    trees: new LedgerTrees(held.database),
    lowOffset: async () => 0,
    partitions: () => [0],
    lastNote: () => published.at(-1)?.note,
    keys: () => ({ signing: parseSigningKey(signingKey), former: [] }),
    publish: async (checkpoint) => void published.push(checkpoint),
    nowMs: () => now,
    logger: { debug: () => undefined, info: () => undefined, warn: fail, error: fail },
  }).keep();
}

/** What is written to the audit topic comes into the ledger at once. */
const audit = { write: (record: AuditRecord) => tell({ record, daysAgo: 0 }) };

const world = (audited = audit) => {
  const { database } = held;
  const rows = new RetiredRows(database);
  const log = new RetirementLog({ rows, audit: audited, nowMs: () => now });
  const policies = new RetentionPolicies(database);
  return {
    policies,
    rows,
    log,
    holds: new LegalHolds(database),
    retention: new Retention({ policies, rows, log, audit: audited, nowMs: () => now }),
    months: new Retirement({
      months: new LedgerMonths(database),
      holds: new LegalHolds(database),
      log,
      nowMs: () => now,
      keepMonths: 3,
    }),
  };
};

async function retire(): Promise<number> {
  const { retention } = world();
  const gone = await retention.run(await retention.plan(), by);
  await sign();
  return gone;
}

const left = async () =>
  (
    await held.database.query<{ name: string }>(
      `SELECT coalesce(tenant, '') || ' ' || ledger.class_of(stage) || ' ' || extract(day FROM to_timestamp($1 / 1000.0) - recorded_at)::int AS name
       FROM ledger.audit_record WHERE action NOT IN ('retired', 'retention-set') ORDER BY audit_offset`,
      [now],
    )
  ).map(({ name }) => name);

const verifyLive = () =>
  verifyDatabase({
    rows: new LedgerRows(held.database),
    trees: new LedgerTrees(held.database),
    retired: new RetiredRows(held.database),
    notes: published.map(({ note }) => note),
    keys: [parseVerifyingKey(verifyingKey)],
  });

describe('retention of rows', () => {
  it('takes what is over, of that tenant and class, and the ledger still is what was signed', async () => {
    await someRows();
    await world().retention.set({ tenant: 'acme', class: 'delivery' }, 100, by);
    const before = await left();
    expect(await retire()).toBe(2);
    expect(await left()).toEqual(before.filter((name) => !['acme delivery 400', 'acme delivery 200'].includes(name)));
    expect((await verifyLive()).findings).toEqual([]);
  });

  it('for all tenants leaves those alone that have their own', async () => {
    await someRows();
    const { retention } = world();
    await retention.set({ tenant: '', class: 'acceptance' }, 100, by);
    await retention.set({ tenant: 'globex', class: 'acceptance' }, 300, by);
    expect(await retire()).toBe(3);
    const rows = await left();
    expect(rows.filter((name) => name.includes('acceptance'))).toEqual([
      'globex acceptance 200',
      'acme acceptance 10',
      'globex acceptance 10',
    ]);
  });

  it('does nothing but count before it is told to, and says what is held', async () => {
    await someRows();
    const { retention, holds } = world();
    await retention.set({ tenant: 'acme', class: 'delivery' }, 100, by);
    await holds.place({ tenant: 'acme', subjectIndex: null, reason: 'a lawsuit', placedBy: 'ada' });
    expect(await retention.plan()).toMatchObject([{ rows: 0, held: 2, before: new Date(now - 100 * dayMs) }]);
    expect(await retire()).toBe(0);
    expect(await left()).toHaveLength(18);
  });

  it('keeps what a hold on one person keeps', async () => {
    await someRows();
    const [row] = await held.database.query<{ subject_index: Buffer }>(
      "SELECT subject_index FROM ledger.audit_record WHERE tenant = 'acme' AND stage = 'connector' ORDER BY audit_offset LIMIT 1",
    );
    const { retention, holds } = world();
    await holds.place({ tenant: 'acme', subjectIndex: row?.subject_index ?? null, reason: 'x', placedBy: 'ada' });
    await retention.set({ tenant: 'acme', class: 'delivery' }, 100, by);
    const [plan] = await retention.plan();
    expect(plan?.held).toBeGreaterThan(0);
    await retire();
    expect(await left()).toContain('acme delivery 400');
  });

  it('tells what it did, and never retires that', async () => {
    await someRows();
    await world().retention.set({ tenant: '', class: 'operations' }, 45, by);
    await retire();
    const told = await held.database.query(
      "SELECT action, details ->> 'rows' AS rows, actor FROM ledger.audit_record WHERE action IN ('retired', 'retention-set') ORDER BY 1",
    );
    expect(told).toEqual([
      { action: 'retention-set', rows: null, actor: 'cli/ada' },
      { action: 'retired', rows: '4', actor: 'cli/ada' },
    ]);
    const retirable = await held.database.query(
      "SELECT ledger.is_retirable('acme', 'operator', 'retired', '', 'operations') AS may",
    );
    expect(retirable).toEqual([{ may: false }]);
  });

  it.each([0, 44, -1, 1.5, Number.NaN, 36_501])('refuses %d days', async (days) => {
    await expect(world().retention.set({ tenant: 'a', class: 'delivery' }, days, by)).rejects.toThrow(BadRetention);
    expect(await world().policies.list()).toEqual([]);
  });

  it('takes a policy away, and refuses to take one away that is not there', async () => {
    const { retention, policies } = world();
    await retention.set({ tenant: 'a', class: 'delivery' }, 45, by);
    await retention.set({ tenant: 'a', class: 'delivery' }, undefined, by);
    expect(await policies.list()).toEqual([]);
    await expect(retention.set({ tenant: 'a', class: 'delivery' }, undefined, by)).rejects.toThrow(/no policy for a/);
  });

  it('that was stopped before it told is told of by the next one', async () => {
    await someRows();
    await world().retention.set({ tenant: 'acme', class: 'delivery' }, 100, by);
    const broken = world({ write: () => Promise.reject(new Error('Kafka is away')) });
    await expect(broken.retention.run(await broken.retention.plan(), by)).rejects.toThrow('Kafka is away');
    await sign();
    expect((await verifyLive()).findings).toMatchObject([{ what: expect.stringContaining('no signed record of it') }]);
    expect(await retire()).toBe(0);
    expect((await verifyLive()).findings).toEqual([]);
  });
});

describe('a retired month', () => {
  it('leaves a ledger that verifies', async () => {
    await someRows();
    const { months } = world();
    const tables = await months.run(await months.plan('2026-01'), by);
    await sign();
    expect(tables).toEqual(['ledger_retired.audit_record_2025_05', 'ledger_retired.audit_record_2025_11']);
    expect(await left()).toHaveLength(6);
    expect((await verifyLive()).findings).toEqual([]);
    expect((await verifyLive()).trees).toMatchObject([{ from: 0, to: 20 }]);
    await held.database.query(`TRUNCATE ${tables.join(', ')}`);
  });
});

describe('rows that are said to be retired', () => {
  beforeEach(async () => {
    await someRows();
    await world().retention.set({ tenant: 'acme', class: 'delivery' }, 100, by);
    await retire();
  });

  const hide = (partition: number, offset: number) => [
    `INSERT INTO ledger.retired_row SELECT audit_offset, audit_partition, (SELECT id FROM ledger.retirement LIMIT 1), leaf_hash
     FROM ledger.audit_record WHERE audit_partition = ${partition} AND audit_offset = ${offset}`,
    `DELETE FROM ledger.audit_record WHERE audit_partition = ${partition} AND audit_offset = ${offset}`,
  ];

  it.each<[string, string[], string, RegExp]>([
    ['a row is hidden among them', hide(0, 3), 'missing', /3 rows are listed as retired by .*its record says 2 rows/],
    [
      'a row is hidden under an act of its own',
      [
        "INSERT INTO ledger.retirement VALUES ('00000000-0000-0000-0000-000000000001', 'x', 'x', 'x', now(), now())",
        ...hide(0, 3).map((sql) => sql.replace(/\(SELECT id.*?\)/, "'00000000-0000-0000-0000-000000000001'")),
      ],
      'missing',
      /1 rows are listed as retired by 0{8}-.*no signed record/,
    ],
    [
      'one is exchanged for another',
      ['DELETE FROM ledger.retired_row WHERE audit_offset = 1', ...hide(0, 3)],
      'missing',
      /and others/,
    ],
    [
      'one is taken away',
      ['DELETE FROM ledger.retired_row WHERE audit_offset = 1'],
      'missing',
      /the row at offset 1 is missing/,
    ],
    [
      'a hash is another',
      ["UPDATE ledger.retired_row SET leaf_hash = sha256('x') WHERE audit_offset = 1"],
      'rewritten',
      /offset|rows do not lead/,
    ],
  ])('are refused when %s', async (_, statements, flaw, what) => {
    await tamper(held.database, ...statements);
    const { holds, findings } = await verifyLive();
    expect(holds).toBe(false);
    expect(findings).toContainEqual(expect.objectContaining({ flaw, what: expect.stringMatching(what) }));
  });

  async function exported(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'tributary-retained-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await exportLedger(
      {
        rows: new LedgerRows(held.database),
        trees: new LedgerTrees(held.database),
        retired: new RetiredRows(held.database),
        notes: async () => published.map(({ note }) => note),
        sink: await exportFolderSink(folder),
        nowMs: () => now,
        actor: 'spec',
      },
      { format: 'ndjson' },
    );
    return folder;
  }
  const verify = (folder: string) =>
    verifyExport({ files: exportFolder(folder), keys: [parseVerifyingKey(verifyingKey)] });

  it('are known in an export, and how many they are is noted', async () => {
    const { findings, notes } = await verify(await exported());
    expect(findings).toEqual([]);
    expect(notes).toContainEqual(expect.stringMatching(/^partition 0: 2 rows were retired before the export/));
  });

  it('do not excuse a row that is missing from an export besides', async () => {
    const folder = await exported();
    const file = join(folder, 'rows-0.ndjson');
    const lines = (await readFile(file, 'utf8')).split('\n');
    await writeFile(file, lines.toSpliced(4, 1).join('\n'));
    expect((await verify(folder)).findings).toContainEqual(expect.objectContaining({ flaw: 'missing' }));
  });

  it.each(['retired-0.bin'])('are refused when %s was changed', async (name) => {
    const folder = await exported();
    const bits = await readFile(join(folder, name));
    bits.fill(0xff);
    await writeFile(join(folder, name), bits);
    expect((await verify(folder)).findings).toContainEqual(expect.objectContaining({ flaw: 'file' }));
  });
});

describe('a row of the ledger', () => {
  it.each([
    'DELETE FROM ledger.audit_record',
    "UPDATE ledger.audit_record SET outcome = 'x' WHERE audit_offset = 0",
    "UPDATE ledger.audit_record_2026_06 SET outcome = 'x'",
    "SELECT set_config('tributary.ledger_change', 'retirement', true); UPDATE ledger.audit_record SET outcome = 'x'",
    'TRUNCATE ledger.audit_record',
    'TRUNCATE ledger.audit_record_2026_06',
    "SELECT set_config('tributary.ledger_change', 'retirement', true); TRUNCATE ledger.audit_record CASCADE",
  ])('is not changed by %s, even of its owner', async (statement) => {
    await someRows();
    const { database } = held;
    const run = database.transaction(async (query) => {
      for (const one of statement.split('; ')) await query(one);
    });
    await expect(run).rejects.toThrow(/rows of the ledger are never changed/);
    expect(await left()).toHaveLength(18);
  });

  it('of a later month is guarded too', async () => {
    await tell({ record: makers.delivery('acme', 1), daysAgo: -40 });
    const [month] = await held.database.query<{ name: string }>(
      'SELECT DISTINCT tableoid::regclass::text AS name FROM ledger.audit_record',
    );
    for (const change of ['DELETE FROM', 'TRUNCATE'])
      await expect(held.database.query(`${change} ${month?.name}`)).rejects.toThrow(/never changed/);
  });
});
