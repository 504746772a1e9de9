import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LocalStackError, messageOf } from './errors.js';
import { describeExit, tailOf } from './health.js';
import { checkMaven } from './prerequisites.js';
import type { RegistryLine } from './registry-line.js';
import { definedOnly, type ProcessExit, type SupervisedProcess, type Supervisor } from './supervisor.js';

const deadlineMs = 20 * 60_000;
const silenceMs = 60_000;
/** In `pom.xml`, which pins the version of each line. */
const mavenProfiles: Readonly<Record<RegistryLine, string | undefined>> = { '3.3': undefined, '2.6': 'java-17' };
const pomFile = fileURLToPath(new URL('./pom.xml', import.meta.url));

export interface JavaArtifacts {
  /** Every jar Kafka needs, as a class path. */
  readonly kafkaClassPath: string;
  /** The jar that `java -jar` starts. */
  readonly registryJar: string;
}

export interface FetchOptions {
  readonly registryLine: RegistryLine;
  readonly supervisor: Supervisor;
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  onProgress(line: string): void;
}

export function cacheRoot(env: NodeJS.ProcessEnv): string {
  if (env.TRIBUTARY_CACHE_DIR) return env.TRIBUTARY_CACHE_DIR;
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tributary');
}

/** Named after the pom and its profile: a changed version is fetched anew and clones share what is the same. */
export function cacheFolder(root: string, pom: string, profile?: string): string {
  const name = `java-${createHash('sha256').update(pom).digest('hex').slice(0, 16)}`;
  return join(root, profile ? `${name}-${profile}` : name);
}

export async function ensureJavaArtifacts(options: FetchOptions): Promise<JavaArtifacts> {
  const pom = await readFile(pomFile, 'utf8');
  const folder = cacheFolder(cacheRoot(options.env), pom, mavenProfiles[options.registryLine]);
  const profile = mavenProfiles[options.registryLine];
  await ensureFetched({
    ...options,
    folder,
    pom,
    ...(profile && { profile }),
    what: 'Kafka and the schema registry',
    megabytes: 210,
  });
  return {
    kafkaClassPath: join(folder, 'kafka', '*'),
    registryJar: findLauncher(join(folder, 'registry')),
  };
}

/** `quarkus-run.jar` in 3.x, `apicurio-registry-app-<version>-runner.jar` in 2.x. */
function findLauncher(folder: string): string {
  const name = readdirSync(folder).find((file) => file === 'quarkus-run.jar' || file.endsWith('-runner.jar'));
  if (name) return join(folder, name);
  throw new LocalStackError(
    `no program of the schema registry is in ${folder}; delete that cache folder and try again`,
  );
}

export interface MavenFetch extends Omit<FetchOptions, 'registryLine'> {
  readonly folder: string;
  readonly pom: string;
  readonly profile?: string;
  /** For messages. */
  readonly what: string;
  readonly megabytes: number;
}

/** Lets Maven put what the pom copies to `${output}` into the folder, unless it is there. */
export async function ensureFetched(fetch: MavenFetch): Promise<void> {
  // The folder appears by rename once it is complete, so its presence is all there is to check.
  if (!existsSync(fetch.folder)) await populate(fetch);
}

async function populate(options: MavenFetch): Promise<void> {
  const { folder, pom, what } = options;
  await checkMaven(options.env);
  const partial = `${folder}.partial-${randomUUID()}`;
  options.supervisor.removeAtEnd(partial);
  try {
    await mkdir(partial, { recursive: true });
    await writeFile(join(partial, 'pom.xml'), pom);
  } catch (error) {
    throw new LocalStackError(
      `the cache folder cannot be written: ${messageOf(error)}; make it writable or set TRIBUTARY_CACHE_DIR`,
    );
  }
  await download(partial, options);
  await publish(partial, folder);
  options.onProgress(`${what} are in ${folder}`);
}

async function publish(partial: string, folder: string): Promise<void> {
  try {
    await rename(partial, folder);
  } catch (error) {
    // Another clone finished first: its copy is the same, named by the same hash.
    if (!existsSync(folder)) throw error;
    await rm(partial, { recursive: true, force: true });
  }
}

async function download(output: string, options: MavenFetch): Promise<void> {
  const { supervisor, env, logFile, onProgress, profile, what } = options;
  onProgress(`fetching ${what} with Maven, about ${options.megabytes} MB, once per machine`);
  const maven = await supervisor.spawn({
    name: 'maven',
    command: 'mvn',
    args: [
      ...['--batch-mode', '--file', join(output, 'pom.xml')],
      ...(profile ? ['--activate-profiles', profile] : []),
      ...timeouts(),
      `-Doutput=${output}`,
      'process-resources',
    ],
    env: definedOnly(env),
    logFile,
    stopTimeoutMs: 2_000,
  });
  const startedAt = performance.now();
  const report = setInterval(() => void reportProgress(logFile, startedAt, onProgress), 3_000);
  try {
    const exit = await within(deadlineMs, maven);
    if (exit.code === 0) return;
    throw new LocalStackError(
      `Maven could not fetch ${what} (${describeExit(exit)}); check the network and Maven's settings\n${tailOf(logFile, 25)}`,
    );
  } finally {
    clearInterval(report);
  }
}

/** A connection that goes silent fails instead of hanging; Maven 3.8 reads the first pair, 3.9 and later the second. */
function timeouts(): string[] {
  return [
    '-Dmaven.wagon.http.connectionTimeout=15000',
    `-Dmaven.wagon.rto=${silenceMs}`,
    '-Daether.connector.connectTimeout=15000',
    `-Daether.connector.requestTimeout=${silenceMs}`,
  ];
}

async function within(limitMs: number, maven: SupervisedProcess): Promise<ProcessExit> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      void maven.stop();
      reject(new LocalStackError(`Maven was still fetching after ${limitMs / 60_000} minutes and was stopped`));
    }, limitMs);
  });
  try {
    return await Promise.race([maven.exited, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function reportProgress(logFile: string, startedAt: number, onProgress: (line: string) => void): Promise<void> {
  const log = await readFile(logFile, 'utf8');
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  onProgress(`fetching: ${describeDownload(log)}, ${seconds} s`);
}

/** "12 files fetched, now kafka-clients-4.3.1.jar", from Maven's log. */
export function describeDownload(log: string): string {
  const namesAfter = (word: string) =>
    [...log.matchAll(new RegExp(`${word} from [^:]*: \\S*/(\\S+)`, 'g'))].map((m) => m[1]!);
  const done = namesAfter('Downloaded');
  const finished = new Set(done);
  const current = namesAfter('Downloading').findLast((name) => !finished.has(name));
  if (done.length === 0 && !current) return "taking what Maven's own cache has";
  return `${done.length} files fetched${current ? `, now ${current}` : ''}`;
}
