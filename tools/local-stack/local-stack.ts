import { existsSync, renameSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { lockDataFolder } from './data-folder-lock.js';
import { LocalStackError } from './errors.js';
import { describeExit, tailOf } from './health.js';
import { ensureJavaArtifacts, type JavaArtifacts } from './java-artifacts.js';
import { type RunningKafka, startKafka } from './kafka.js';
import { type LocalStackOptions, portVariable, type StackPart, type StackSettings, settingsOf } from './options.js';
import { requireFree } from './ports.js';
import { type RunningPostgres, startPostgres, wipePostgres } from './postgres.js';
import { type FoundJava, findJava, kafkaJava, registryJava } from './prerequisites.js';
import { type RunningRegistry, startRegistry } from './registry.js';
import { chooseRegistryLine, type RegistryLine } from './registry-line.js';
import { type SupervisedProcess, Supervisor } from './supervisor.js';

export interface LocalStack {
  readonly kafka: Pick<RunningKafka, 'brokers' | 'secured'>;
  /** The Confluent-compatible API. */
  readonly registry: { readonly url: string };
  readonly postgres: { readonly url: string };
  readonly dataDir: string;
  /** Starts more processes under the same protection; with `stopOrder` 0 they stop before the stack's own. */
  readonly supervisor: Supervisor;
  /** The parts that were started, by name: for process ids and for tests that kill one. */
  readonly processes: ReadonlyMap<StackPart, SupervisedProcess>;
  /** Settles with the reason when a part ends although nobody asked it to. */
  readonly failed: Promise<LocalStackError>;
  stop(): Promise<void>;
}

interface Parts {
  postgres?: RunningPostgres;
  kafka?: RunningKafka;
  registry?: RunningRegistry;
}

interface Start {
  readonly settings: StackSettings;
  readonly supervisor: Supervisor;
}

/** Brings up PostgreSQL, Kafka and the schema registry on this machine, and resolves when all three are of use. */
export async function startLocalStack(options: LocalStackOptions = {}): Promise<LocalStack> {
  const settings = settingsOf(options);
  for (const [part, port] of Object.entries(settings.ports)) await requireFree(port, portVariable(part as StackPart));
  await createDataFolder(settings.dataDir);
  const supervisor = new Supervisor({ logFile: logFileOf(settings, 'supervisor') });
  try {
    await lockDataFolder(settings.dataDir, supervisor);
    if (settings.wipe) await wipe(settings);
    const parts = await startParts({ settings, supervisor });
    return assemble({ settings, supervisor }, parts);
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
}

async function createDataFolder(dataDir: string): Promise<void> {
  try {
    await mkdir(join(dataDir, 'data'), { recursive: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LocalStackError(`the data folder cannot be created: ${reason}; choose another with --data-dir`);
  }
}

async function wipe({ dataDir }: StackSettings): Promise<void> {
  await wipePostgres(dataFolderOf(dataDir, 'postgres'));
  await rm(join(dataDir, 'data'), { recursive: true, force: true });
  await mkdir(join(dataDir, 'data'));
}

function dataFolderOf(dataDir: string, part: StackPart): string {
  return join(dataDir, 'data', part);
}

function logFileOf({ dataDir }: Pick<StackSettings, 'dataDir'>, name: string): string {
  return join(dataDir, 'logs', `${name}.log`);
}

/** A log per run, the one before kept: after a crash that is the interesting one. */
function freshLog(settings: StackSettings, name: string): string {
  const file = logFileOf(settings, name);
  if (existsSync(file)) renameSync(file, `${file}.previous`);
  return file;
}

async function startParts(start: Start): Promise<Parts> {
  const { settings } = start;
  const needsJava = settings.parts.has('kafka') || settings.parts.has('registry');
  if (!needsJava) return { postgres: await postgres(start) };
  const { java, line } = await chooseVersions(settings);
  const artifacts = ensureJavaArtifacts({
    registryLine: line,
    supervisor: start.supervisor,
    env: settings.env,
    logFile: freshLog(settings, 'maven'),
    onProgress: settings.onProgress,
  });
  const [stored, brokers] = await Promise.all([
    storage(start, { java, line }, artifacts),
    settings.parts.has('kafka') ? artifacts.then((found) => kafka(start, java, found)) : undefined,
  ]);
  return { ...stored, ...(brokers && { kafka: brokers }) };
}

interface Versions {
  /** The command. */
  readonly java: string;
  readonly line: RegistryLine;
}

async function chooseVersions(settings: StackSettings): Promise<Versions> {
  const hasRegistry = settings.parts.has('registry');
  const found = await findJava(settings.env, kafkaJava, hasRegistry ? registryJava.major : kafkaJava.major);
  const line = hasRegistry ? await chooseRegistryLine(join(settings.dataDir, 'data'), found.major) : '3.3';
  settings.onProgress(describeVersions(found, line));
  return { java: found.command, line };
}

function describeVersions({ command, major }: FoundJava, line: RegistryLine): string {
  const java = `running on Java ${major} (${command})`;
  if (line === '3.3') return java;
  if (major < registryJava.major) return `${java}, so with Apicurio Registry 2.6: 3.3 needs Java ${registryJava.major}`;
  return `${java} with Apicurio Registry 2.6, which wrote the schemas kept here; --wipe moves to 3.3`;
}

async function storage(start: Start, versions: Versions, artifacts: Promise<JavaArtifacts>): Promise<Parts> {
  if (!start.settings.parts.has('postgres')) return {};
  const running = await postgres(start);
  if (!start.settings.parts.has('registry')) return { postgres: running };
  return {
    postgres: running,
    registry: await registry(start, { ...versions, artifacts: await artifacts, postgresPort: running.port }),
  };
}

async function postgres({ settings, supervisor }: Start): Promise<RunningPostgres> {
  const logFile = freshLog(settings, 'postgres');
  const dataFolder = dataFolderOf(settings.dataDir, 'postgres');
  return timed(settings, 'PostgreSQL', () =>
    startPostgres({ supervisor, logFile, dataFolder, port: settings.ports.postgres }),
  );
}

async function kafka({ settings, supervisor }: Start, java: string, artifacts: JavaArtifacts): Promise<RunningKafka> {
  return timed(settings, 'Kafka', () =>
    startKafka({
      supervisor,
      java,
      classPath: artifacts.kafkaClassPath,
      jvmFlags: settings.jvmFlags.kafka,
      dataFolder: dataFolderOf(settings.dataDir, 'kafka'),
      logFile: freshLog(settings, 'kafka'),
      port: settings.ports.kafka,
      security: settings.kafkaSecurity,
    }),
  );
}

async function registry(
  { settings, supervisor }: Start,
  { java, line, artifacts, postgresPort }: Versions & { artifacts: JavaArtifacts; postgresPort: number },
): Promise<RunningRegistry> {
  return timed(settings, 'the schema registry', () =>
    startRegistry({
      supervisor,
      java,
      line,
      dataFolder: join(settings.dataDir, 'data'),
      jar: artifacts.registryJar,
      jvmFlags: settings.jvmFlags.registry,
      logFile: freshLog(settings, 'registry'),
      port: settings.ports.registry,
      postgresPort,
    }),
  );
}

async function timed<T>({ onProgress }: StackSettings, what: string, start: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const part = await start();
  onProgress(`${what} is up after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  return part;
}

function assemble({ settings, supervisor }: Start, parts: Parts): LocalStack {
  const partOf = <K extends keyof Parts>(name: K): NonNullable<Parts[K]> => {
    const part = parts[name];
    if (!part) throw new LocalStackError(`this stack was started without ${name}; add it to "parts"`);
    return part;
  };
  const processes = new Map<StackPart, SupervisedProcess>();
  for (const [name, part] of Object.entries(parts)) processes.set(name as StackPart, part.process);
  let isStopping = false;
  return {
    get kafka() {
      const { brokers, secured } = partOf('kafka');
      return { brokers, ...(secured && { secured }) };
    },
    get registry() {
      return { url: partOf('registry').url };
    },
    get postgres() {
      return { url: partOf('postgres').url };
    },
    dataDir: settings.dataDir,
    supervisor,
    processes,
    failed: firstFailure(settings, processes, () => isStopping),
    stop: () => {
      isStopping = true;
      return supervisor.stop();
    },
  };
}

function firstFailure(
  settings: StackSettings,
  processes: ReadonlyMap<StackPart, SupervisedProcess>,
  isExpected: () => boolean,
): Promise<LocalStackError> {
  return new Promise((resolve) => {
    for (const [name, part] of processes) {
      void part.exited.then((exit) => {
        if (isExpected()) return;
        resolve(
          new LocalStackError(`${name} ended by itself (${describeExit(exit)})\n${tailOf(logFileOf(settings, name))}`),
        );
      });
    }
  });
}
