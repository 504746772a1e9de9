import { parseArgs } from 'node:util';
import { LocalStackError, messageOf } from './errors.js';
import { type LocalStack, startLocalStack } from './local-stack.js';
import { type LocalStackOptions, type StackPart, stackParts } from './options.js';
import { parsePort } from './ports.js';

const help = `Runs Kafka, a schema registry and PostgreSQL on this machine until Ctrl-C.

  npm run stack -- [options]

  --wipe                 start from nothing instead of the data of the last run
  --data-dir <folder>    data and logs (default: .local at the top of the repository)
  --kafka-port <n>       explicit ports must be free; without them free ones are chosen
  --registry-port <n>    (also TRIBUTARY_KAFKA_PORT, TRIBUTARY_REGISTRY_PORT,
  --postgres-port <n>     TRIBUTARY_POSTGRES_PORT)
  --help                 this text

  TRIBUTARY_CACHE_DIR            where Kafka and the registry are kept between runs
  TRIBUTARY_KAFKA_JVM_FLAGS      instead of the flags for a small machine
  TRIBUTARY_REGISTRY_JVM_FLAGS
`;

type Arguments = { help: true } | { help: false; options: LocalStackOptions };

function readArguments(args: string[]): Arguments {
  const { values } = parseArgs({
    args,
    options: {
      wipe: { type: 'boolean' },
      'data-dir': { type: 'string' },
      'kafka-port': { type: 'string' },
      'registry-port': { type: 'string' },
      'postgres-port': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return { help: true };
  const ports: Partial<Record<StackPart, number>> = {};
  for (const part of stackParts) {
    const text = values[`${part}-port`];
    if (text !== undefined) ports[part] = parsePort(text, `--${part}-port`);
  }
  const dataDir = values['data-dir'];
  return { help: false, options: { ports, wipe: values.wipe ?? false, ...(dataDir && { dataDir }) } };
}

function describe(stack: LocalStack): string {
  return [
    '',
    `Kafka            ${stack.kafka.brokers.join(',')}`,
    `schema registry  ${stack.registry.url}`,
    `PostgreSQL       ${stack.postgres.url}`,
    `data and logs    ${stack.dataDir}`,
    '',
    `export KAFKA_BROKERS=${stack.kafka.brokers.join(',')}`,
    `export SCHEMA_REGISTRY_URL=${stack.registry.url}`,
    `export DATABASE_URL=${stack.postgres.url}`,
    '',
    'Ctrl-C stops all three.',
  ].join('\n');
}

function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, resolve);
  });
}

async function run(options: LocalStackOptions): Promise<number> {
  const startedAt = performance.now();
  const interrupted = signalled();
  const starting = startLocalStack({ ...options, onProgress: (line) => console.log(line) });
  // A signal during the start ends this process; the supervisor then sees the closed channel and ends the rest.
  const stack = await Promise.race([starting, interrupted]);
  if (typeof stack === 'string') return 130;
  console.log(`all up after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  console.log(describe(stack));
  const ending = await Promise.race([interrupted, stack.failed]);
  if (ending instanceof LocalStackError) console.error(ending.message);
  else console.log('stopping');
  await stack.stop();
  return ending instanceof LocalStackError ? 1 : 0;
}

async function main(args: string[]): Promise<number> {
  const parsed = readArguments(args);
  if (!parsed.help) return run(parsed.options);
  console.log(help);
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') ?? false;
  if (isUsage) console.error(`${messageOf(error)}\n\n${help}`);
  else console.error(error instanceof LocalStackError ? `local stack: ${error.message}` : error);
  process.exitCode = isUsage ? 2 : 1;
}
// Sockets of a start that failed half-way must not keep the process alive.
process.exit();
