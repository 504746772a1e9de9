import { setTimeout as sleep } from 'node:timers/promises';
import { tamper } from '../../libs/persistence/src/testing/tamper.js';
import type { Environment } from '../../tools/start/environment.js';
import { servicePlans } from '../../tools/start/services.js';
import { cpuMsOf, difference } from '../e2e/cpu.js';

export interface Round {
  readonly perSecond: number;
  /** CPU microseconds a record, by process. */
  readonly cpuUs: ReadonlyMap<string, number>;
}

const lookEveryMs = 20;
const groupId = 'audit-logger';

/** The audit-logger takes all records of the topic into an empty ledger. Timed from its first commit to its last. */
export async function oursOnce(environment: Environment, records: number): Promise<Round> {
  await forget(environment);
  const plan = servicePlans().find(({ name }) => name === groupId);
  if (!plan) throw new Error(`there is no service ${groupId}`);
  const service = await environment.launcher.start(plan);
  try {
    const pids = new Map([
      [groupId, service.process.pid],
      ...[...environment.stack.processes].map(([name, { pid }]) => [name, pid] as const),
    ]);
    const first = await untilWritten(environment, 1);
    const before = cpuMsOf(pids);
    const last = await untilWritten(environment, records);
    const taken = last.rows - first.rows;
    return { perSecond: (taken * 1000) / (last.atMs - first.atMs), cpuUs: perRecord(cpuMsOf(pids), before, taken) };
  } finally {
    await service.process.stop();
  }
}

function perRecord(
  after: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, number>,
  records: number,
): Map<string, number> {
  return new Map([...difference(after, before)].map(([name, ms]) => [name, (ms * 1000) / records]));
}

/** The rows go, and so does what the group has committed; the keys stay, as they do in a deployment. */
async function forget({ database, platform }: Environment): Promise<void> {
  await tamper(database, 'TRUNCATE ledger.audit_record, ledger.position, ledger.destination_month');
  await database.query('CHECKPOINT');
  const admin = platform.client.newAdmin();
  await admin.connect();
  try {
    await admin.deleteGroups([groupId]).catch((error: Error & { groups?: Array<{ errorCode: number }> }) => {
      const groupIdNotFound = 69;
      if (!error.groups?.every(({ errorCode }) => errorCode === groupIdNotFound)) throw error;
    });
  } finally {
    await admin.disconnect();
  }
}

async function untilWritten({ database }: Environment, rows: number): Promise<{ rows: number; atMs: number }> {
  const deadline = Date.now() + 180_000;
  for (;;) {
    const [row] = await database.query<{ rows: number }>(
      'SELECT coalesce(sum(next_offset), 0)::int AS rows FROM ledger.position',
    );
    if (row && row.rows >= rows) return { rows: row.rows, atMs: performance.now() };
    if (Date.now() > deadline) throw new Error(`${row?.rows} of ${rows} records are in the ledger after three minutes`);
    await sleep(lookEveryMs);
  }
}

/** A place where PostgreSQL, which may run under another account than ours, can write and read. */
async function copyFile({ database }: Environment): Promise<string> {
  const [row] = await database.query<{ folder: string }>("SELECT current_setting('data_directory') AS folder");
  return `${row?.folder}/bench-audit.copy`;
}

/** Keeps the rows of the ledger as PostgreSQL's own binary COPY has them, and makes a table like the ledger's for them. */
export async function prepareReference(environment: Environment): Promise<void> {
  const { database } = environment;
  const file = await copyFile(environment);
  await database.query(`COPY (SELECT * FROM ledger.audit_record) TO '${file}' (FORMAT binary)`);
  const [child] = await database.query<{ name: string; bounds: string }>(
    `SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'ledger.audit_record'::regclass ORDER BY c.relpages DESC, pg_relation_size(c.oid) DESC LIMIT 1`,
  );
  if (!child) throw new Error('the ledger has no partition');
  await database.query('CREATE SCHEMA reference');
  await database.query(
    'CREATE TABLE reference.audit_record (LIKE ledger.audit_record INCLUDING ALL) PARTITION BY RANGE (recorded_at)',
  );
  await database.query(`CREATE TABLE reference.${child.name} PARTITION OF reference.audit_record ${child.bounds}`);
}

/** PostgreSQL copies the same rows from a file of its own into a table with the same indexes, in one transaction. */
export async function referenceOnce(environment: Environment, records: number): Promise<Round> {
  const { database, stack } = environment;
  const file = await copyFile(environment);
  await database.query('TRUNCATE reference.audit_record');
  await database.query('CHECKPOINT');
  const pids = new Map([...stack.processes].map(([name, { pid }]) => [name, pid] as const));
  const before = cpuMsOf(pids);
  const startedMs = performance.now();
  await database.query(`COPY reference.audit_record FROM '${file}' (FORMAT binary)`);
  const seconds = (performance.now() - startedMs) / 1000;
  return { perSecond: records / seconds, cpuUs: perRecord(cpuMsOf(pids), before, records) };
}
