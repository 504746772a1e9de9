import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { renderTable } from '../../tools/cli/table.js';
import { type Environment, startEnvironment } from '../../tools/start/environment.js';
import { oursOnce, prepareReference, type Round, referenceOnce } from './rounds.js';
import { fillTopic, topicBytes } from './topic.js';

const help = `Audit records a second from the topic into the ledger, against a bare COPY of the same rows, in turn.

  npm run bench:audit -- [options]

  --records <n>   audit records on the topic (default 200000)
  --rounds <n>    rounds of each, after one to warm up (default 3)
`;

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '3' },
    help: { type: 'boolean', short: 'h' },
  },
});

const startedAt = Date.now();
const say = (line: string) => console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

interface Bytes {
  readonly table: number;
  readonly indexes: number;
  readonly topic: number;
}

async function bytesPerRecord({ database, stack }: Environment, records: number): Promise<Bytes> {
  const [row] = await database.query<{ heap: string; indexes: string }>(
    `SELECT sum(pg_table_size(relid))::text AS heap, sum(pg_indexes_size(relid))::text AS indexes
     FROM pg_partition_tree('ledger.audit_record') WHERE isleaf`,
  );
  const each = (bytes: number) => Math.round(bytes / records);
  return {
    table: each(Number(row?.heap)),
    indexes: each(Number(row?.indexes)),
    topic: each(topicBytes(stack.dataDir)),
  };
}

async function run(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tributary-bench-'));
  chmodSync(dataDir, 0o755); // run by root, PostgreSQL's own account has to enter it
  const environment = await startEnvironment({
    dataDir,
    wipe: true,
    plans: [],
    serviceEnv: { TRACE_RATIO: '0.01' },
    onProgress: say,
  });
  try {
    await environment.sandbox.process.stop();
    await measure(environment, Number(values.records));
  } finally {
    await environment.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function measure(environment: Environment, wanted: number): Promise<void> {
  const records = await fillTopic(environment, wanted);
  say(`${records} audit records are on the topic`);
  await oursOnce(environment, records);
  const bytes = await bytesPerRecord(environment, records);
  await prepareReference(environment);
  await referenceOnce(environment, records);
  const rounds = { reference: [] as Round[], ours: [] as Round[] };
  for (let i = 0; i < Number(values.rounds); i++) {
    rounds.reference.push(await referenceOnce(environment, records));
    rounds.ours.push(await oursOnce(environment, records));
    const [reference, ours] = [rounds.reference[i]?.perSecond ?? 0, rounds.ours[i]?.perSecond ?? 0];
    say(`round ${i + 1}: COPY ${reference.toFixed(0)}/s, ours ${ours.toFixed(0)}/s, ${(ours / reference).toFixed(3)}`);
  }
  print(records, rounds, bytes);
}

function print(records: number, rounds: Record<'reference' | 'ours', Round[]>, bytes: Bytes): void {
  const rate = (name: 'reference' | 'ours') => Math.round(median(rounds[name].map(({ perSecond }) => perSecond)));
  const cpuUs = (name: 'reference' | 'ours', process: string) =>
    Number(median(rounds[name].map((round) => round.cpuUs.get(process) ?? 0)).toFixed(1));
  const processes = ['audit-logger', 'postgres', 'kafka'];
  const rows = (['reference', 'ours'] as const).map((name) => [
    name === 'ours' ? 'audit-logger' : 'bare COPY',
    rate(name),
    ...processes.map((process) => cpuUs(name, process)),
  ]);
  console.log(`\n${renderTable(['', 'records/s (median)', ...processes.map((name) => `CPU µs: ${name}`)], rows)}\n`);
  console.log(`bytes a record: table ${bytes.table}, indexes ${bytes.indexes}, topic ${bytes.topic}\n`);
  const ratios = rounds.ours.map((round, i) => round.perSecond / (rounds.reference[i]?.perSecond ?? 1));
  console.log(
    JSON.stringify({
      name: 'audit',
      ours: rate('ours'),
      reference: rate('reference'),
      ratio: Number(median(ratios).toFixed(3)),
      bytesTable: bytes.table,
      bytesIndexes: bytes.indexes,
      bytesTopic: bytes.topic,
      cpuUs: cpuUs('ours', 'audit-logger'),
      cpuUsPostgres: cpuUs('ours', 'postgres'),
      records,
      conditions: `${cpus().length} cores shared by broker, database and program; node ${process.version}; ${values.rounds} rounds in turn; synchronous_commit on`,
    }),
  );
}

if (values.help) console.log(help);
else await run();
