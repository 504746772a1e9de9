import { platformSettings, readSettings, SecretReader } from '@tributary/config';
import { readIntegrationFiles } from '@tributary/control/apply';
import { applyKafkaJsPatches, TopicAdmin } from '@tributary/kafka';
import { openIntegrationTables, planAgainst, prepareCluster } from '@tributary/operations';
import { Database } from '@tributary/persistence';
import { connectPlatform, type Platform } from '@tributary/runtime';
import { createLogger } from '@tributary/telemetry';
import { type LocalStack, type LocalStackOptions, startLocalStack } from '../local-stack/index.js';
import {
  type DemoSecrets,
  makeDemoSecrets,
  type RunningService,
  ServiceLauncher,
  type ServicePlan,
  untilReady,
} from './services.js';

/** Everything running, for people to look at and for tests to break. */
export interface Environment {
  readonly stack: LocalStack;
  readonly secrets: DemoSecrets;
  readonly launcher: ServiceLauncher;
  readonly sandbox: RunningService;
  readonly services: Map<string, RunningService>;
  readonly platform: Platform;
  readonly admin: TopicAdmin;
  readonly database: Database;
  /** Applies integration files; `variables` fill `${NAME}` in them. */
  apply(paths: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

export interface EnvironmentOptions extends LocalStackOptions {
  /** Settings for every service. */
  readonly serviceEnv?: Readonly<Record<string, string>>;
  /** Of what is known once the stack is there. */
  readonly plans?: readonly ServicePlan[] | ((stack: LocalStack) => Promise<readonly ServicePlan[]>);
  /** Of each new topic that may have several, instead of the catalogue's number. */
  readonly partitions?: number;
}

const readyWithinMs = 60_000;

/** Starts the stack, prepares it, starts the sandbox and the services, and waits until all are ready. */
export async function startEnvironment(options: EnvironmentOptions): Promise<Environment> {
  // Before the stack's own look at Kafka: the repairs must be there before the first connection.
  applyKafkaJsPatches();
  const stack = await startLocalStack(options);
  try {
    return await startServices(stack, options);
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

async function startServices(stack: LocalStack, options: EnvironmentOptions): Promise<Environment> {
  const say = (line: string) => options.onProgress?.(line);
  const secrets = makeDemoSecrets();
  const launcher = new ServiceLauncher({ stack, secrets, ...(options.serviceEnv && { env: options.serviceEnv }) });
  const platform = connectTo(launcher.environment);
  const admin = new TopicAdmin(platform.client);
  const database = new Database({
    url: stack.postgres.url,
    applicationName: 'tributary-start',
    maxConnections: 2,
    onIdleError: () => undefined,
  });
  say('creating topics, schemas and tables');
  // The sandbox needs none of them, so it may start meanwhile.
  const [sandbox] = await Promise.all([
    launcher.startSandbox(),
    untilGroupsWork(platform),
    prepareCluster({
      admin,
      registry: { registryUrl: stack.registry.url },
      databaseUrl: stack.postgres.url,
      partitions: options.partitions,
    }),
  ]);
  say('starting the services');
  const plans = typeof options.plans === 'function' ? await options.plans(stack) : options.plans;
  const services = await launcher.startAll(plans);
  await untilReady([sandbox, ...services], readyWithinMs);
  const environment: Environment = {
    stack,
    secrets,
    launcher,
    sandbox,
    services: new Map(services.map((service) => [service.name, service])),
    platform,
    admin,
    database,
    apply: (paths) => applyFiles(platform, paths, { ...launcher.environment, SANDBOX_URL: sandbox.url }),
    stop: async () => {
      await Promise.all([admin.close(), database.close(), platform.close()]);
      await stack.stop();
    },
  };
  return environment;
}

const groupsWithinMs = 30_000;

/** A new broker makes its own offsets topic when the first group asks for it, and refuses every group until then. */
async function untilGroupsWork({ client }: Platform): Promise<void> {
  const admin = new TopicAdmin(client);
  try {
    await untilGroupIsKnown(admin, Date.now() + groupsWithinMs);
  } finally {
    await admin.close();
  }
}

async function untilGroupIsKnown(admin: TopicAdmin, deadline: number): Promise<void> {
  for (;;) {
    try {
      await admin.group('tributary-start');
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function connectTo(environment: Readonly<Record<string, string>>): Platform {
  return connectPlatform({
    name: 'tributary-start',
    settings: readSettings(platformSettings, environment),
    logger: createLogger({ service: 'tributary', instance: String(process.pid), level: 'silent' }),
    onFatal: (error) => {
      throw error;
    },
  });
}

async function applyFiles(
  platform: Platform,
  paths: readonly string[],
  variables: Record<string, string>,
): Promise<void> {
  const { integrations, problems } = readIntegrationFiles(paths, variables);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  const opened = await openIntegrationTables(platform, 'start');
  try {
    const reader = new SecretReader(undefined, variables);
    const result = planAgainst({
      integrations,
      tables: opened.tables,
      actor: 'start',
      prune: false,
      readSecret: (reference) => {
        const reading = reader.read(reference);
        if (!reading.ok) throw new Error(reading.reason);
        return reading.value;
      },
    });
    if (!result.ok) throw new Error(result.problems.join('\n'));
    await opened.writer.apply(result.plan, 'demo');
  } finally {
    await opened.close();
  }
}
