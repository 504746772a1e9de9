import { randomBytes, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type LedgerRow, leafHash } from '@tributary/ledger';
import { Database, defaultKeysUrl, openDataKeys, PersonalReader, type SealedRow } from '@tributary/persistence';
import { eventually } from '@tributary/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres } from '../../tools/local-stack/postgres.js';
import { filesHolding } from './testing/files-holding.js';
import { send } from './testing/raw-http.js';
import { type CommandResult, patienceMs, System } from './testing/system.js';

const apiKey = `ledger-publisher.${randomBytes(24).toString('hex')}`;
let system: System;

beforeAll(async () => {
  system = await System.start({ E2E_LEDGER_API_KEY: apiKey });
  await system.environment.apply([join(import.meta.dirname, 'integrations/ledger.yaml')]);
  await eventually(() => publish('crm.unheard.of', 'nobody'), { timeoutMs: patienceMs, what: 'the API key' });
});
afterAll(() => system?.stop());

async function publish(type: string, subject: string): Promise<string> {
  const id = `ev-${randomUUID()}`;
  const data = { email: `${subject}@example.com` };
  const reply = await send(`${system.ingressUrl}/v1/events`, {
    headers: [
      ['content-type', 'application/cloudevents+json'],
      ['authorization', `Bearer ${apiKey}`],
    ],
    body: JSON.stringify({ specversion: '1.0', id, source: '/ledger', type, subject, data }),
  });
  expect({ status: reply.status, body: reply.body }).toMatchObject({ status: 202 });
  return id;
}

function expectDone({ code, stdout, stderr }: CommandResult): string {
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return stdout;
}

const settled = (eventId: string) =>
  eventually(
    async () => {
      const rows = await system.query(
        "SELECT outcome FROM ledger.fact WHERE event_id = $1 AND action IN ('settled', 'planned')",
        [eventId],
      );
      expect(rows.length).toBeGreaterThanOrEqual(2);
    },
    { timeoutMs: patienceMs, what: `the settlement of ${eventId}` },
  );

type Row = SealedRow & Record<string, unknown>;
const allRows = () => system.query<Row>('SELECT * FROM ledger.audit_record ORDER BY audit_partition, audit_offset');

/** The row as it was hashed, from the row as it stands. */
function hashedRow({ leaf_hash, is_repeat, ...row }: Row): LedgerRow {
  const plain = Object.entries(row).map(([name, value]) => {
    if (value instanceof Date) return [name, value.getTime()];
    if (Buffer.isBuffer(value)) return [name, value.toString('base64')];
    return [name, /_offset$|_ms$/.test(name) ? Number(value) : value];
  });
  return Object.fromEntries(plain) as LedgerRow;
}

describe('erasing a person', () => {
  const subject = `ada-${randomUUID()}`;
  const other = `grace-${randomUUID()}`;
  const person = ['--tenant', 'ledger', '--subject', subject];

  it('leaves nothing of them that can be read, and everything that proves', async () => {
    const events = [await publish('crm.plain.tested', subject), await publish('crm.plain.tested', other)];
    await system.fault('ledger-rejecting', { status: 422 });
    events.push(await publish('crm.rejection.tested', subject));
    for (const event of events) await settled(event);

    const before = await allRows();
    const trace = expectDone(await system.tributary('trace', events[2] ?? '', '--json'));
    expect(trace).toContain(subject);
    const exported = expectDone(await system.tributary('ledger', 'export-subject', ...person));
    expect(exported.trim().split('\n').length).toBeGreaterThanOrEqual(6);
    expect(exported).toContain(subject);
    expect(exported).not.toContain(other);

    const [handedOut] = await eventually(
      async () => {
        const rows = await system.facts("SELECT * FROM ledger.fact WHERE action = 'exported'");
        expect(rows).toHaveLength(1);
        return rows;
      },
      { timeoutMs: patienceMs, what: 'the audit record of the export' },
    );
    expect(handedOut).toMatchObject({ tenant: 'ledger', entity: expect.stringMatching(/^subject:[0-9a-f]{32}$/) });

    const hold = /legal hold (\S+)/.exec(
      expectDone(await system.tributary('ledger', 'hold', ...person, '--reason', 'a lawsuit')),
    )?.[1];
    const refused = await system.tributary('erase', ...person, '--reason', 'asked', '--yes');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/legal hold .* \(a lawsuit\)/) });
    expectDone(await system.tributary('ledger', 'release', hold ?? '', '--reason', 'settled'));
    const named = await system.tributary('erase', ...person, '--reason', `for ${subject}`, '--yes');
    expect(named).toMatchObject({ code: 1, stderr: expect.stringMatching(/names the subject/) });

    const dry = expectDone(await system.tributary('erase', ...person, '--reason', 'asked', '--dry-run'));
    expect(dry).toMatch(/1 keys \(0 erased before\), 1 open dead letters; nothing was done/);
    const done = expectDone(await system.tributary('erase', ...person, '--reason', 'asked', '--yes', '--json'));
    const { subjectIndex } = JSON.parse(done);
    expect(JSON.parse(done)).toMatchObject({ keysErased: 1, deadLettersDiscarded: 1 });

    const erased = await eventually(
      async () => {
        const [row] = await system.facts(`SELECT * FROM ledger.fact WHERE action = 'erased'`);
        if (!row) throw new Error('it is not in the ledger');
        return row;
      },
      { timeoutMs: patienceMs, what: 'the audit record of the erasure' },
    );
    expect(erased).toMatchObject({ entity: `subject:${subjectIndex}`, tenant: 'ledger', reason: 'asked' });

    // Everything that PostgreSQL has on its disk, its write-ahead log too, and every log file.
    await system.query('CHECKPOINT');
    const [place] = await system.query<{ folder: string }>("SELECT current_setting('data_directory') AS folder");
    const logs = join(system.environment.stack.dataDir, 'logs');
    expect(await filesHolding({ subject }, [place?.folder ?? '', logs])).toEqual([]);

    // The rows of before, with the keys of now.
    const held = openKeys();
    const readings = await new PersonalReader(held.dataKeys).open(before);
    await held.close();
    const ofPerson = before.flatMap((row, i) =>
      row.subject_index?.toString('hex') === subjectIndex ? [readings[i]?.state] : [],
    );
    expect(new Set(ofPerson)).toEqual(new Set(['erased']));
    expect(JSON.stringify(readings)).not.toContain(subject);
    expect(JSON.stringify(readings)).toContain(other);
    await expectNoKeyFor(subjectIndex);

    for (const row of await allRows()) {
      expect(leafHash(hashedRow(row)).equals(row.leaf_hash as Buffer)).toBe(true);
    }
    expect(expectDone(await system.tributary('trace', events[0] ?? ''))).toMatch(/\(erased\)/);
    await system.expectProofCloses();
  });
});

const openKeys = () =>
  openDataKeys({
    databaseUrl: system.environment.stack.postgres.url,
    keysDatabaseUrl: undefined,
    keysFile: system.variables.LEDGER_KEYS_FILE ?? '',
    applicationName: 'e2e',
    onIdleError: () => undefined,
  });

async function expectNoKeyFor(subjectIndex: string): Promise<void> {
  const keys = new Database({
    url: defaultKeysUrl(system.environment.stack.postgres.url),
    applicationName: 'e2e',
    maxConnections: 1,
    onIdleError: () => undefined,
  });
  const rows = await keys.query('SELECT wrapped FROM data_key WHERE subject_index = $1', [
    Buffer.from(subjectIndex, 'hex'),
  ]);
  await keys.close();
  expect(rows).toEqual([{ wrapped: null }]);
}

describe('months of the ledger', () => {
  it('are kept as long as they must be, and leave as tables of their own', async () => {
    await system.query(
      "SELECT ledger.ensure_month('2019-03-01T00:00:00Z'), ledger.ensure_month('2019-04-01T00:00:00Z')",
    );
    const copied = (await system.query('SELECT * FROM ledger.audit_record LIMIT 1')).length;
    expect(copied).toBe(1);
    const bad = await system.tributary('ledger', 'retire', '--before', '2019-13');
    expect(bad).toMatchObject({ code: 1, stderr: expect.stringMatching(/write a month like/) });
    const month = new Date().toISOString().slice(0, 7);
    const kept = await system.tributary('ledger', 'retire', '--before', '9999-01');
    expect(kept.stdout).toMatch(new RegExp(`refused: ${month}: the ledger keeps 84 months`));
    const dry = expectDone(await system.tributary('ledger', 'retire', '--before', '2019-04'));
    expect(dry).toMatch(/2019-03: about 0 rows.*\nnothing was done/s);
    const unexplained = await system.tributary('ledger', 'retire', '--before', '2019-04', '--yes');
    expect(unexplained).toMatchObject({ code: 1, stderr: expect.stringMatching(/--reason is empty/) });
    const done = await system.tributary('ledger', 'retire', '--before', '2019-04', '--yes', '--reason', 'seven years');
    expect(expectDone(done)).toMatch(/ledger_retired.audit_record_2019_03 is out of the ledger/);
    expect(await system.query("SELECT to_regclass('ledger_retired.audit_record_2019_03') AS there")).toEqual([
      { there: 'ledger_retired.audit_record_2019_03' },
    ]);
    await eventually(
      async () => {
        const rows = await system.query(
          `SELECT 1 FROM ledger.fact WHERE action = 'retired' AND details ->> 'retired' = $1`,
          ['ledger-month:2019-03'],
        );
        expect(rows).toHaveLength(1);
      },
      { timeoutMs: patienceMs, what: 'the audit record' },
    );
    await system.expectProofCloses();
  });
});

describe('the proof of a row', () => {
  it('is handed out on record once a checkpoint covers the row, and verified without the system', async () => {
    const { stack, launcher } = system.environment;
    const [kept, file] = [join(stack.dataDir, 'kept.note'), join(stack.dataDir, 'proof.json')];
    const key = ['--public-key', launcher.auditPublicKeyFile];
    const prove = async (event: string, ...more: string[]): Promise<CommandResult> => {
      await settled(event);
      // It may be in another partition than the settlement, and so be written later.
      const row = await eventually(
        async () => {
          const [planned] = await system.query<{ audit_partition: number; at: string }>(
            "SELECT audit_partition, audit_offset::text AS at FROM ledger.audit_record WHERE event_id = $1 AND action = 'planned'",
            [event],
          );
          if (!planned) throw new Error(`the ledger has no row of the planning of ${event}`);
          return planned;
        },
        { timeoutMs: patienceMs, what: 'the row' },
      );
      const place = ['--partition', String(row.audit_partition), '--offset', row.at];
      return eventually(
        async () => {
          const result = await system.tributary('audit', 'proof', ...place, ...more);
          expectDone(result);
          return result;
        },
        { timeoutMs: patienceMs, intervalMs: 1_000, what: 'the checkpoint' },
      );
    };
    const first = await publish('crm.plain.tested', 'proven');
    const proof = JSON.parse((await prove(first)).stdout);
    expect(JSON.parse(proof.row)).toMatchObject({ event_id: first, action: 'planned' });
    await writeFile(kept, proof.checkpoint);
    await prove(first, '--checkpoint', kept, '--out', file);
    const verified = expectDone(await system.tributary('audit', 'verify', '--proof', file, ...key));
    expect(verified).toContain('✓ the row is what was signed');
    expect(verified).toContain(`grown out of the ${proof.size} rows`);
    await eventually(
      async () => {
        const rows = await system.query(
          "SELECT 1 FROM ledger.fact WHERE action = 'exported' AND entity LIKE 'proof:%'",
        );
        expect(rows).toHaveLength(2);
      },
      { timeoutMs: patienceMs, what: 'the audit records of both proofs' },
    );
    const nowhere = await system.tributary('audit', 'proof', '--partition', '0', '--offset', '999999999');
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no row at offset 999999999') });
    // Its root lost a character.
    await writeFile(kept, proof.checkpoint.replace('=\nsigned-at', '\nsigned-at'));
    const damaged = await system.tributary('audit', 'proof', '--partition', '0', '--offset', '0', '--checkpoint', kept);
    expect(damaged).toMatchObject({ code: 1, stderr: expect.stringContaining('is damaged, or is no checkpoint') });
  });
});

/** A minute in the fault runs; here long enough for every batch, connection and group to have failed. */
const outageMs = Number(process.env.E2E_OUTAGE_MS ?? 15_000);

describe('a ledger whose database is away under load', () => {
  it('loses nothing, and catches up by itself', async () => {
    const { stack } = system.environment;
    const sent: string[] = [];
    let stopped = false;
    const load = (async () => {
      while (!stopped) sent.push(await publish('crm.plain.tested', `load-${sent.length % 50}`));
    })();
    await eventually(() => expect(sent.length).toBeGreaterThan(20), { timeoutMs: patienceMs });
    await stack.processes.get('postgres')?.stop();
    const atOutage = sent.length;
    await new Promise((resolve) => setTimeout(resolve, outageMs));
    expect(sent.length).toBeGreaterThan(atOutage);
    await startPostgres({
      supervisor: stack.supervisor,
      dataFolder: join(stack.dataDir, 'data/postgres'),
      logFile: join(stack.dataDir, 'logs/postgres-again.log'),
      port: Number(new URL(stack.postgres.url).port),
    });
    await eventually(() => expect(sent.length).toBeGreaterThan(atOutage + 50), { timeoutMs: patienceMs });
    stopped = true;
    await load;
    for (const event of sent) await settled(event);
    const report = await system.expectProofCloses();
    expect(report.ledger.rows).toBe(report.ledger.records);
  });
});
