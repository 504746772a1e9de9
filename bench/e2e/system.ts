import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { topics } from '@tributary/contracts';
import { repositoryRoot } from '../../tools/local-stack/index.js';
import { type Environment, startEnvironment } from '../../tools/start/environment.js';
import { type ServicePlan, servicePlans } from '../../tools/start/services.js';
import { type Sizes, sizesOf } from '../capacity/sizes.js';
import { Arrivals } from './arrivals.js';
import { cpuMsOf } from './cpu.js';
import { OpenLoad } from './load.js';

const integrations = join(repositoryRoot(), 'bench/e2e/integrations');
const ledgerGroup = 'audit-logger';
/** As few as two cores need: each costs the broker something with every request that touches it. */
const partitions = 4;

/** Limits that protect senders and endpoints are no part of what is measured; connections.yaml has the endpoints' own. */
const extraEnv: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ingress: { CONNECTION_RATE: '0' },
  'connector-http': { CONCURRENCY: '512' },
};

/** All services of a deployment with one destination. */
function plans(): ServicePlan[] {
  return servicePlans()
    .filter(({ name, app }) => app !== 'connector' || name === 'connector-http')
    .map((plan) => ({ ...plan, env: { ...plan.env, ...extraEnv[plan.name] } }));
}

/** Everything that runs while the load goes through it. */
export interface System {
  readonly arrivals: Arrivals;
  readonly load: OpenLoad;
  /** CPU milliseconds used so far, by process. */
  cpuMs(): Map<string, number>;
  /** Audit records that are not in the ledger yet. */
  ledgerLag(): Promise<number>;
  /** Bytes of topics and tables. */
  sizes(): Promise<Sizes>;
  stop(): Promise<void>;
}

export async function startSystem(dataDir: string, say: (line: string) => void): Promise<System> {
  const arrivals = new Arrivals();
  const receiver = await startReceiver(arrivals);
  const environment = await startEnvironment({
    dataDir,
    wipe: true,
    partitions,
    plans: plans(),
    serviceEnv: { TRACE_RATIO: '0.01', RECEIVER_URL: `http://127.0.0.1:${receiver.port}` },
    onProgress: say,
  });
  try {
    await environment.apply([integrations]);
    await environment.sandbox.process.stop();
    return systemOf(environment, arrivals, receiver.worker);
  } catch (error) {
    await environment.stop();
    throw error;
  }
}

function systemOf(environment: Environment, arrivals: Arrivals, receiver: Worker): System {
  const ingress = environment.services.get('ingress');
  if (!ingress) throw new Error('ingress is not running');
  const load = new OpenLoad(ingress.url, '/webhooks/bench-github', environment.secrets.DEMO_GITHUB_SECRET);
  const pids = pidsOf(environment);
  return {
    arrivals,
    load,
    cpuMs: () => {
      const { user, system } = process.cpuUsage();
      return cpuMsOf(pids).set('load and receiver', (user + system) / 1_000);
    },
    ledgerLag: () => ledgerLag(environment),
    sizes: () => sizesOf(join(environment.stack.dataDir, 'data/kafka'), environment.database),
    stop: async () => {
      await load.close();
      await environment.stop();
      await receiver.terminate();
    },
  };
}

function pidsOf({ services, stack }: Environment): Map<string, number> {
  const running = [...services].map(([name, { process }]) => [name, process.pid] as const);
  const parts = [...stack.processes].map(([name, { pid }]) => [name, pid] as const);
  return new Map([...running, ...parts]);
}

async function ledgerLag({ admin }: Environment): Promise<number> {
  const topic = topics.audit.name;
  const ends = (await admin.offsets(topic)) ?? [];
  const committed = new Map(
    (await admin.groupOffsets(ledgerGroup, [topic])).map(({ partition, offset }) => [partition, offset]),
  );
  return ends.reduce((lag, { partition, low, high }) => lag + high - (committed.get(partition) ?? low), 0);
}

async function startReceiver(arrivals: Arrivals): Promise<{ readonly worker: Worker; readonly port: number }> {
  const worker = new Worker(new URL('./receiver.js', import.meta.url), { workerData: arrivals.shared });
  const port = await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return { worker, port };
}
