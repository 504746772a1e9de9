import { parseArgs } from 'node:util';
import { renderProof } from '../cli/commands/prove.js';
import { parsePort } from '../local-stack/ports.js';
import { demoIntegrations, runDemo } from './demo.js';
import { type Environment, startEnvironment } from './environment.js';
import { demoTables, memoryOf, memoryTable } from './report.js';

const help = `Runs all of Tributary on this machine and sends the demo's webhooks through it.

  npm start -- [options]       stays up until Ctrl-C
  npm run demo -- [options]    the same once; exits 1 unless the proof closes

  --keep                 keep the data of the last run (default: start from nothing)
  --no-demo              start everything and send nothing
  --data-dir <folder>    data and logs (default: .local at the top of the repository)
  --kafka-port <n>  --registry-port <n>  --postgres-port <n>
  --help                 this text
`;

function readArguments() {
  try {
    return parseArgs({
      allowNegative: true,
      options: {
        demo: { type: 'boolean' },
        keep: { type: 'boolean' },
        'data-dir': { type: 'string' },
        'kafka-port': { type: 'string' },
        'registry-port': { type: 'string' },
        'postgres-port': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${help}`);
    process.exit(2);
  }
}

const values = readArguments();

const startedAt = performance.now();
const say = (line: string) =>
  console.log(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s  ${line}`);
const once = values.demo === true;

function signalled(): Promise<'signal'> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => resolve('signal'));
  });
}

function portOptions() {
  const parts = ['kafka', 'registry', 'postgres'] as const;
  return Object.fromEntries(
    parts.flatMap((part) => {
      const text = values[`${part}-port`];
      return text === undefined ? [] : [[part, parsePort(text, `--${part}-port`)]];
    }),
  );
}

/** True when the proof closes and every table says what it should. */
async function demonstrate(environment: Environment): Promise<boolean> {
  const services = [environment.sandbox, ...environment.services.values()];
  await environment.apply([demoIntegrations]);
  say('integrations/demo is applied');
  const idle = await memoryOf(services);
  void firstDelivery(environment);
  const result = await runDemo(environment, say);
  say(`200 webhooks are through, ${result.seconds.toFixed(1)} s after the first`);
  console.log(
    `\n${await demoTables(result, environment.database)}\n\n${memoryTable(idle, await memoryOf(services))}\n\n${renderProof(result.proof)}\n`,
  );
  return result.proof.closes;
}

async function firstDelivery({ sandbox }: Environment): Promise<void> {
  for (;;) {
    const answer = await fetch(`${sandbox.url}/effects/demo?summary=true`).catch(() => undefined);
    if (!answer) return;
    const { effects } = (await answer.json()) as { effects: number };
    if (effects > 0) return say('the first event is delivered');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function describe({ stack, services, sandbox, secrets, launcher }: Environment): string {
  const lines = [...services.values()].map(
    ({ name, url }) =>
      `  ${name.padEnd(16)} ${url}/health/ready  ${url}/metrics${name === 'ingress' ? '' : `  ${url}/debug/runtime`}`,
  );
  return [
    'Everything is up. Open:',
    ...lines,
    `  ${'sandbox'.padEnd(16)} ${sandbox.url}/effects/demo  ${sandbox.url}/requests/slack`,
    '',
    'Use the command line in another terminal:',
    `  export KAFKA_BROKERS=${stack.kafka.brokers.join(',')} SCHEMA_REGISTRY_URL=${stack.registry.url} DATABASE_URL=${stack.postgres.url}`,
    `  export SANDBOX_URL=${sandbox.url} DEMO_API_KEY=${secrets.DEMO_API_KEY}`,
    // Without it, what is personal in the ledger stays locked, and nobody can be erased.
    `  export LEDGER_KEYS_FILE=${launcher.environment.LEDGER_KEYS_FILE}`,
    '  npx tributary prove        npx tributary health        npx tributary dlt list',
    `  npx tributary audit verify --database --public-key ${launcher.auditPublicKeyFile}`,
    '',
    `Logs are in ${stack.dataDir}/logs. Ctrl-C stops everything.`,
  ].join('\n');
}

async function run(): Promise<number> {
  const interrupted = signalled();
  const starting = startEnvironment({
    wipe: values.keep !== true,
    ports: portOptions(),
    ...(values['data-dir'] && { dataDir: values['data-dir'] }),
    onProgress: say,
  });
  const environment = await Promise.race([starting, interrupted]);
  // The supervisor sees this process end and ends the rest.
  if (environment === 'signal') return 130;
  say('all services are ready');
  const working = values.demo === false ? Promise.resolve(true) : demonstrate(environment);
  const closes = await Promise.race([working, interrupted]);
  if (once || closes === 'signal') {
    await environment.stop();
    return closes === true ? 0 : 1;
  }
  console.log(describe(environment));
  const ending = await Promise.race([interrupted, environment.stack.failed]);
  if (ending !== 'signal') console.error(ending.message);
  say('stopping');
  await environment.stop();
  return ending === 'signal' ? 0 : 1;
}

if (values.help) console.log(help);
else {
  process.exitCode = await run().catch((error: Error) => {
    console.error(`tributary: ${error.message}`);
    return 1;
  });
  process.exit();
}
