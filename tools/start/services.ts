import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SealingKey } from '@tributary/config';
import { generateKey } from '@tributary/ledger';
import { LedgerKeys } from '@tributary/persistence';
import { registry } from '@tributary/registry';
import type { LocalStack, SupervisedProcess } from '../local-stack/index.js';
import { freePorts, repositoryRoot } from '../local-stack/index.js';

/** One process of ours. */
export interface RunningService {
  readonly name: string;
  /** Base address of its health endpoints. */
  readonly url: string;
  readonly process: SupervisedProcess;
}

/** Secrets that the demo's vendors sign with and its destinations take. Made anew for every data folder. */
export type DemoSecrets = Readonly<Record<(typeof demoVariables)[number], string>>;

const demoVariables = [
  'DEMO_GUSTO_TOKEN',
  'DEMO_STRIPE_SECRET',
  'DEMO_GITHUB_SECRET',
  'DEMO_STANDARD_SECRET',
  'DEMO_SIGNING_KEY',
  'DEMO_SLACK_TOKEN',
  'DEMO_API_KEY',
] as const;

export function makeDemoSecrets(): DemoSecrets {
  const hex = () => randomBytes(24).toString('hex');
  const whsec = () => `whsec_${randomBytes(32).toString('base64')}`;
  return {
    DEMO_GUSTO_TOKEN: crypto.randomUUID(),
    DEMO_STRIPE_SECRET: `whsec_${hex()}`,
    DEMO_GITHUB_SECRET: hex(),
    DEMO_STANDARD_SECRET: whsec(),
    DEMO_SIGNING_KEY: whsec(),
    DEMO_SLACK_TOKEN: `xoxb-${hex()}`,
    DEMO_API_KEY: `demo-publisher.${hex()}`,
  };
}

export interface ServicePlan {
  readonly name: string;
  readonly app: string;
  readonly env: Readonly<Record<string, string>>;
  /** Another built workspace than this one. */
  readonly root?: string;
}

/** Every service of a deployment, one connector per destination. */
export function servicePlans(): ServicePlan[] {
  const connectors = [...registry.destinations.keys()].map((slug) => ({
    name: `connector-${slug}`,
    app: 'connector',
    env: { DESTINATION: slug, EGRESS_ALLOW: '127.0.0.1/32' },
  }));
  const plain = ['ingress', 'normalizer', 'router', 'audit-logger', 'console'].map((app) => ({
    name: app,
    app,
    env: {},
  }));
  return [...plain, ...connectors];
}

export interface LaunchOptions {
  readonly stack: LocalStack;
  readonly secrets: DemoSecrets;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Half of Node's default for the young generation: measured, it costs no throughput and keeps an idle service under 130 MiB.
 * The old generation may double between two collections: left to itself, Node collects a heap of this size twice a second under
 * load, which cost a quarter of the throughput of ingress.
 * No compile cache either: what it saves at the start (half a second) it keeps in memory (up to 19 MiB) for good. Images start
 * with the same flags, and with a cache: there a process that is asked for should be there soon.
 */
export const nodeFlags = ['--max-semi-space-size=8', '--heap-growing-percent=100'];

/** Starts services as supervised processes of their own; they end with this process, however it ends. */
export class ServiceLauncher {
  private readonly kekFile: string;
  private readonly ledgerKeysFile: string;
  private readonly auditKeyFile: string;
  /** What the demo's ledger is verified with. */
  readonly auditPublicKeyFile: string;

  constructor(private readonly options: LaunchOptions) {
    this.kekFile = join(options.stack.dataDir, 'kek');
    writeFileSync(this.kekFile, SealingKey.generate(), { mode: 0o600 });
    this.ledgerKeysFile = join(options.stack.dataDir, 'ledger-keys');
    // Kept with the data folder: with other keys, what its ledger has of people could not be read again.
    if (!existsSync(this.ledgerKeysFile))
      writeFileSync(this.ledgerKeysFile, LedgerKeys.generate('development'), { mode: 0o600 });
    this.auditKeyFile = join(options.stack.dataDir, 'audit-signing-key');
    this.auditPublicKeyFile = join(options.stack.dataDir, 'audit-public-key');
    // Kept as well: what it signed could not be verified with another.
    if (!existsSync(this.auditKeyFile)) {
      const { signingKey, verifyingKey } = generateKey('tributary.local/ledger');
      writeFileSync(this.auditPublicKeyFile, `${verifyingKey}\n`);
      writeFileSync(this.auditKeyFile, `${signingKey}\n`, { mode: 0o600 });
    }
  }

  /** The environment that every service has: where the stack is, and the demo's secrets. */
  get environment(): Record<string, string> {
    const { stack, secrets, env } = this.options;
    return {
      KAFKA_BROKERS: stack.kafka.brokers.join(','),
      SCHEMA_REGISTRY_URL: stack.registry.url,
      DATABASE_URL: stack.postgres.url,
      HOST: '127.0.0.1',
      TRACE_RATIO: '1',
      TRIBUTARY_KEK_FILE: this.kekFile,
      LEDGER_KEYS_FILE: this.ledgerKeysFile,
      AUDIT_SIGNING_KEY: `file:${this.auditKeyFile}`,
      ...secrets,
      ...env,
    };
  }

  async startSandbox(): Promise<RunningService> {
    const { DEMO_SIGNING_KEY, DEMO_SLACK_TOKEN } = this.options.secrets;
    const env = {
      SANDBOX_SIGNING_SECRETS: DEMO_SIGNING_KEY,
      SANDBOX_SLACK_TOKENS: DEMO_SLACK_TOKEN,
      SANDBOX_SLACK_RATE: '10',
    };
    return this.start({ name: 'sandbox', app: 'sandbox', env });
  }

  startAll(plans: readonly ServicePlan[] = servicePlans()): Promise<RunningService[]> {
    return Promise.all(plans.map((plan) => this.start(plan)));
  }

  async start({ name, app, env, root = repositoryRoot() }: ServicePlan, port?: number): Promise<RunningService> {
    const { stack } = this.options;
    const [free] = port === undefined ? await freePorts(1) : [port];
    const process_ = await stack.supervisor.spawn({
      name,
      command: process.execPath,
      args: [...nodeFlags, join(root, 'dist/apps', app, 'src/main.js')],
      env: { ...this.environment, ...env, PORT: String(free), INSTANCE_ID: name },
      cwd: root,
      logFile: join(stack.dataDir, 'logs', `${name}.log`),
      stopTimeoutMs: 30_000,
    });
    return { name, url: `http://127.0.0.1:${free}`, process: process_ };
  }
}

/** Resolves when every service says it is ready. @throws Error naming the one that ended or is not ready in time. */
export async function untilReady(services: readonly RunningService[], timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  await Promise.all(services.map((service) => untilOneReady(service, deadline)));
}

async function untilOneReady(service: RunningService, deadline: number): Promise<void> {
  let ended: string | undefined;
  void service.process.exited.then(({ code, signal }) => {
    ended = `${service.name} ended while it started (${signal ?? `exit code ${code}`}); its log says why`;
  });
  let last = 'no answer yet';
  while (Date.now() < deadline) {
    if (ended) throw new Error(ended);
    const answer = await fetch(`${service.url}/health/ready`, { signal: AbortSignal.timeout(2_000) }).catch(
      (error: Error) => error,
    );
    if (answer instanceof Error) last = answer.message;
    else if (answer.ok) return;
    else last = (await answer.text()).trim();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${service.name} is not ready: ${last}`);
}

/** Resident memory in MiB, as the service itself measures it. */
export async function residentMiB(service: RunningService): Promise<number | undefined> {
  const answer = await fetch(`${service.url}/metrics`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  const line = /^process_memory_usage_bytes(?:\{[^}]*\})? ([0-9.e+]+)/m.exec((await answer?.text()) ?? '');
  return line ? Math.round(Number(line[1]) / 1024 / 1024) : undefined;
}
