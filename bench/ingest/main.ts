import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { renderTable } from '../../tools/cli/table.js';
import { freePorts, repositoryRoot } from '../../tools/local-stack/index.js';
import { demoIntegrations } from '../../tools/start/demo.js';
import { type Environment, startEnvironment } from '../../tools/start/environment.js';
import { nodeFlags, type RunningService, untilReady } from '../../tools/start/services.js';
import { measure, type Round } from './load.js';

const help = `Verified webhooks a second, acks=all: our ingress against a bare reference, in turn, on the same broker.

  npm run bench:ingest -- [options]

  --rounds <n>        rounds of each (default 3)
  --seconds <n>       seconds a round (default 10)
  --connections <n>   connections kept busy (default 64)
`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    connections: { type: 'string', default: '64' },
    help: { type: 'boolean', short: 'h' },
  },
});

/** Long enough for the compiler to have seen the hot paths of both. */
const warmUpSeconds = 10;

/** A round with the CPU that the program used for each webhook, in milliseconds. */
type Measured = Round & { readonly cpuMs: number };

const referenceTopic = 'bench.reference.v1';

async function startReference({ stack, secrets, admin }: Environment): Promise<RunningService> {
  await admin.create(referenceTopic, 6);
  const [port] = await freePorts(1);
  const child = await stack.supervisor.spawn({
    name: 'reference',
    command: process.execPath,
    args: [...nodeFlags, join(repositoryRoot(), 'dist/bench/ingest/reference.js')],
    env: {
      KAFKA_BROKERS: stack.kafka.brokers.join(','),
      PORT: String(port),
      TOPIC: referenceTopic,
      SECRET: secrets.DEMO_GITHUB_SECRET,
      NODE_ENV: 'production',
    },
    logFile: join(stack.dataDir, 'logs/reference.log'),
  });
  const service = { name: 'reference', url: `http://127.0.0.1:${port}`, process: child };
  await untilReady([service], 30_000);
  return service;
}

/** CPU seconds that a process has used; undefined where the system does not say. */
function cpuSeconds(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

async function run(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tributary-bench-'));
  // Only ingress runs: consumers would take the cores that are measured.
  const environment = await startEnvironment({
    dataDir,
    wipe: true,
    plans: [{ name: 'ingress', app: 'ingress', env: { CONNECTION_RATE: '0', TRACE_RATIO: '0.01' } }],
    onProgress: (line) => console.log(line),
  });
  try {
    await environment.apply([demoIntegrations]);
    await environment.sandbox.process.stop();
    const ours = environment.services.get('ingress');
    const reference = await startReference(environment);
    if (!ours) throw new Error('ingress is not running');
    const rounds = { ours: [] as Measured[], reference: [] as Measured[] };
    const one = async (service: RunningService, seconds: number, label: string): Promise<Measured> => {
      const before = cpuSeconds(service.process.pid);
      const round = await measure({
        url: service.url,
        path: '/webhooks/demo-github',
        secret: environment.secrets.DEMO_GITHUB_SECRET,
        seconds,
        connections: Number(values.connections),
        run: label,
      });
      const used = (cpuSeconds(service.process.pid) ?? 0) - (before ?? 0);
      return { ...round, cpuMs: (used * 1000) / (round.perSecond * seconds) };
    };
    console.log('warming up');
    await one(reference, warmUpSeconds, 'warm-r');
    await one(ours, warmUpSeconds, 'warm-o');
    for (let i = 0; i < Number(values.rounds); i++) {
      rounds.reference.push(await one(reference, Number(values.seconds), `r${i}`));
      rounds.ours.push(await one(ours, Number(values.seconds), `o${i}`));
      console.log(
        `round ${i + 1}: reference ${rounds.reference[i]?.perSecond.toFixed(0)}/s, ours ${rounds.ours[i]?.perSecond.toFixed(0)}/s`,
      );
    }
    print(rounds);
  } finally {
    await environment.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function print(rounds: Record<'ours' | 'reference', Measured[]>): void {
  const of = (name: 'ours' | 'reference', field: keyof Measured) => median(rounds[name].map((round) => round[field]));
  const failed = rounds.ours.reduce((sum, round) => sum + round.failed, 0);
  const rows = (['reference', 'ours'] as const).map((name) => [
    name,
    Math.round(of(name, 'perSecond')),
    of(name, 'p50Ms'),
    of(name, 'p99Ms'),
  ]);
  console.log(`\n${renderTable(['program', 'webhooks/s (median)', 'p50 ms', 'p99 ms', 'CPU ms each'], rows)}\n`);
  const ratios = rounds.ours.map((round, i) => round.perSecond / (rounds.reference[i]?.perSecond ?? 1));
  console.log(
    JSON.stringify({
      name: 'ingest',
      ours: Math.round(of('ours', 'perSecond')),
      reference: Math.round(of('reference', 'perSecond')),
      ratio: Number(median(ratios).toFixed(3)),
      p99Ms: of('ours', 'p99Ms'),
      referenceP99Ms: of('reference', 'p99Ms'),
      cpuMs: Number(of('ours', 'cpuMs').toFixed(3)),
      referenceCpuMs: Number(of('reference', 'cpuMs').toFixed(3)),
      failed,
      conditions: `${cpus().length} cores shared by broker, load generator and program; node ${process.version}; ${values.connections} connections; ${values.rounds} rounds of ${values.seconds} s in turn; RF 1, acks=all`,
    }),
  );
}

if (values.help) console.log(help);
else await run();
