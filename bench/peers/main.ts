import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { renderTable } from '../../tools/cli/table.js';
import { repositoryRoot } from '../../tools/local-stack/index.js';
import { nodeFlags } from '../../tools/start/services.js';
import { best, type Run, scenarios, summaryOf } from './scenarios.js';

const help = `Our consumer runtime and connector kit beside its peers: same broker, same records, same slow destination.

  npm run bench:peers -- --harness <folder> [options]

  --harness <folder>     the peer benchmark, set up as its README says (or PEERS_HARNESS)
  --scenarios <a,b>      default: all (${scenarios.map(({ name }) => name).join(', ')})
  --peers <a,b>          only these peers; \`none\` for ours alone
  --ours <a,b>           only these forms of ours (ours, ours-unordered)
  --rounds <n>           runs of each, in turn (default 1); the last line tells medians
  --bootstrap <h:p>      a broker that runs already (default: the harness's own, started and stopped here)

Run nothing else on the machine meanwhile. All of it takes about half an hour.
`;

const { values } = parseArgs({
  options: {
    harness: { type: 'string', default: process.env.PEERS_HARNESS ?? '' },
    scenarios: { type: 'string' },
    peers: { type: 'string' },
    ours: { type: 'string' },
    rounds: { type: 'string', default: '1' },
    bootstrap: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

const harness = values.harness === '' ? '' : resolve(values.harness);
const ownBroker = 'localhost:29092';
const bootstrap = values.bootstrap ?? ownBroker;

function requireHarness(): void {
  if (harness !== '' && existsSync(join(harness, 'run.mjs')) && existsSync(join(harness, 'node_modules'))) return;
  console.error(
    harness === ''
      ? 'bench:peers needs the peer benchmark: --harness <folder> (see docs/benchmarks.md, "Peers")'
      : `${harness} is not the peer benchmark, or it is not set up: it needs run.mjs, and node_modules from npm install`,
  );
  process.exit(2);
}

function answers(address: string): Promise<boolean> {
  const [host = '', port = ''] = address.split(':');
  return new Promise((done) => {
    const socket = connect({ host, port: Number(port) });
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}

interface Broker {
  stop(): Promise<void>;
}

async function startBroker(): Promise<Broker> {
  if (await answers(bootstrap)) return { stop: async () => {} };
  if (values.bootstrap !== undefined) throw new Error(`no broker answers at ${bootstrap}`);
  const data = mkdtempSync(join(tmpdir(), 'tributary-peers-'));
  const child = spawn('bash', [join(harness, 'broker/start.sh')], {
    env: { ...process.env, DATA: data },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  for (let waited = 0; !(await answers(bootstrap)); waited++) {
    if (child.exitCode !== null || waited > 240) throw new Error('the broker of the harness did not start');
    await sleep(500);
  }
  return {
    stop: async () => {
      await ended(child, () => child.kill('SIGTERM'));
      rmSync(data, { recursive: true, force: true });
    },
  };
}

function ended(child: ChildProcess, act: () => void): Promise<void> {
  return new Promise((done) => {
    child.once('exit', () => done());
    act();
  });
}

// Twice the young generation of an idle service: a loaded connector may take 340 MiB, and uses about 200 here.
const ourFlags = [...nodeFlags, '--max-semi-space-size=16'];
const ourCommand = ['exec', 'node', ...ourFlags, join(repositoryRoot(), 'dist/bench/peers/consumer.js')].join(' ');

/** One run of the harness; its result is its last line. */
async function run(scenario: string, program: string): Promise<Run | undefined> {
  const ours = program.startsWith('ours');
  const peer = ours ? ['--peer', `cmd:${ourCommand}`, '--name', program] : ['--peer', program];
  const child = spawn(process.execPath, ['run.mjs', '--scenario', scenario, '--max-seconds', '150', ...peer], {
    cwd: harness,
    env: { ...process.env, BOOTSTRAP: bootstrap, PEER_ORDERING: program === 'ours-unordered' ? 'none' : 'key' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk;
  });
  await ended(child, () => {});
  const line = output.trim().split('\n').at(-1) ?? '';
  if (line.startsWith('{')) return JSON.parse(line) as Run;
  console.error(`${scenario} ${program} gave no result: ${errors.trim().split('\n').at(-1) ?? 'no message'}`);
  return undefined;
}

async function main(): Promise<void> {
  requireHarness();
  const wanted = values.scenarios?.split(',');
  const only = values.peers?.split(',');
  const onlyOurs = values.ours?.split(',');
  const unknown = wanted?.filter((name) => !scenarios.some((one) => one.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`there is no scenario ${unknown.join(', ')}; see --help`);
  const broker = await startBroker();
  const runs: Run[] = [];
  try {
    for (let round = 1; round <= Number(values.rounds); round++) {
      for (const { name, programs } of scenarios.filter((one) => wanted?.includes(one.name) ?? true)) {
        for (const program of programs.filter(
          (one) => (one.startsWith('ours') ? onlyOurs : only)?.includes(one) ?? true,
        )) {
          process.stdout.write(`round ${round}: ${name}, ${program}\n`);
          const result = await run(name, program);
          if (result) runs.push(result);
        }
      }
    }
  } finally {
    await broker.stop();
  }
  print(runs);
}

const columns = [
  'recordsPerSec',
  'efficiency',
  'efficiencyVsBound',
  'cleanP50Ms',
  'cleanP99Ms',
  'inversions',
  'beforeRetryAfter',
  'dltRight',
  'dltWrong',
  'duplicates',
  'missing',
  'cpuMsPerRecord',
  'peakRssMiB',
  'otherBusy',
] as const;

function print(runs: readonly Run[]): void {
  const rows = runs.map((one) => [one.scenario, one.peer, ...columns.map((column) => one[column] ?? '')]);
  console.log(`\n${renderTable(['scenario', 'program', ...columns], rows)}\n`);
  console.log(
    JSON.stringify({
      name: 'peers',
      scenarios: summaryOf(runs),
      best: best(runs),
      conditions: `${cpus().length} cores shared by broker, destination, runner and program; node ${process.version}; ${values.rounds} round(s)`,
    }),
  );
}

if (values.help) console.log(help);
else await main();
