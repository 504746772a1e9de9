import { chmodSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Database, migrate } from '@tributary/persistence';
import { renderTable } from '../../tools/cli/table.js';
import { startLocalStack } from '../../tools/local-stack/index.js';
import { loadRows } from './load.js';
import { proofs, verifications } from './proofs.js';
import { type Answered, ask, questions } from './questions.js';

const help = `Questions to a ledger of many rows, its proof and its verification: how long they take.

  npm run bench:ledger -- --data <folder> [options]

  --data <folder>   where the ledger is, or is made; goes on where the last run stopped
  --rows <n>        rows (default 10000000)
  --for <seconds>   loads for so long at most, and says how far it came (default 3600)
  --only <part>     ask, prove or verify; for the memory of one part
`;

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    rows: { type: 'string', default: '10000000' },
    for: { type: 'string', default: '3600' },
    only: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

const startedAt = Date.now();
const say = (line: string) => console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);

async function run(data: string): Promise<void> {
  const dataDir = resolve(data);
  mkdirSync(dataDir, { recursive: true });
  chmodSync(dataDir, 0o755); // run by root, PostgreSQL's own account has to enter it
  const stack = await startLocalStack({ dataDir });
  const database = new Database({
    url: stack.postgres.url,
    applicationName: 'bench',
    maxConnections: 3,
    onIdleError: () => undefined,
  });
  try {
    await load(database, stack.postgres.url, dataDir);
  } finally {
    await database.close();
    await stack.stop();
  }
}

async function load(database: Database, url: string, folder: string): Promise<void> {
  await migrate(url);
  const wanted = Number(values.rows);
  const untilMs = startedAt + Number(values.for) * 1000;
  const loading = { database, url, folder, untilMs, say };
  const rows = await loadRows({ ...loading, rows: wanted });
  if (rows < wanted) {
    say(`${rows} of ${wanted} rows; run again to go on`);
    process.exitCode = 3;
    return;
  }
  await database.query('ANALYZE ledger.audit_record');
  say(`asking about ${rows} rows`);
  const is = (part: string) => values.only === undefined || values.only === part;
  const answers = is('ask') ? await askAll(database) : [];
  const more = async () =>
    void (await loadRows({ ...loading, rows: rows + 20_000, untilMs: Number.POSITIVE_INFINITY }));
  const times = [
    ...(is('prove') ? await proofs(database, say, more) : []),
    ...(is('verify') ? await verifications(database, say) : []),
  ];
  const peakMb = Math.round(process.resourceUsage().maxRSS / 1024);
  console.log(JSON.stringify({ name: 'ledger', rows, answers, times, peakMb }));
  if (answers.some(({ p95Ms, allowedMs }) => p95Ms > allowedMs) || times.some(({ holds }) => !holds))
    process.exitCode = 1;
}

async function askAll(database: Database): Promise<Answered[]> {
  const answers: Answered[] = [];
  for (const question of questions) answers.push(await ask(database, question));
  const table = answers.map((one) => [one.name, one.asked, one.p50Ms, one.p95Ms, one.maxMs, one.allowedMs]);
  console.log(`\n${renderTable(['question', 'asked', 'p50 ms', 'p95 ms', 'max ms', 'allowed'], table)}\n`);
  return answers;
}

if (values.help || values.data === undefined) {
  console.log(help);
  process.exitCode = values.help ? 0 : 2;
} else await run(values.data);
