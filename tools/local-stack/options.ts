import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LocalStackError } from './errors.js';
import { parsePort } from './ports.js';
import type { KafkaSecurity } from './secured-listeners.js';

export type StackPart = 'postgres' | 'kafka' | 'registry';
export const stackParts = ['postgres', 'kafka', 'registry'] as const satisfies readonly StackPart[];

export interface LocalStackOptions {
  /** Data, logs and the lock. Default `.local` at the top of the repository. */
  readonly dataDir?: string;
  /** Start from nothing. Default: data of the last run is kept. */
  readonly wipe?: boolean;
  /** Explicit ports must be free; the others are chosen among the free ones. */
  readonly ports?: Partial<Record<StackPart, number>>;
  /** Default all. The registry brings PostgreSQL with it. */
  readonly parts?: readonly StackPart[];
  /** Kafka asks who one is, on two listeners more. */
  readonly kafkaSecurity?: KafkaSecurity;
  /** One line per thing worth telling a person who waits. */
  onProgress?(line: string): void;
  /** Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface StackSettings {
  readonly dataDir: string;
  readonly wipe: boolean;
  readonly ports: Partial<Record<StackPart, number>>;
  readonly parts: ReadonlySet<StackPart>;
  readonly jvmFlags: { readonly kafka: readonly string[]; readonly registry: readonly string[] };
  readonly kafkaSecurity: KafkaSecurity | undefined;
  readonly env: NodeJS.ProcessEnv;
  onProgress(line: string): void;
}

/** Starts faster and costs less CPU in the first minutes than the full JIT; a long benchmark overrides it. */
const smallJvm = '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC';

export function portVariable(part: StackPart): string {
  return `TRIBUTARY_${part.toUpperCase()}_PORT`;
}

export function settingsOf(options: LocalStackOptions): StackSettings {
  const env = options.env ?? process.env;
  const ports = portsOf(options, env);
  requireDistinct(ports);
  const parts = new Set<StackPart>(options.parts ?? stackParts);
  if (parts.has('registry')) parts.add('postgres');
  return {
    dataDir: resolve(options.dataDir ?? join(repositoryRoot(), '.local')),
    wipe: options.wipe ?? false,
    ports,
    parts,
    jvmFlags: {
      kafka: words(env.TRIBUTARY_KAFKA_JVM_FLAGS ?? `${smallJvm} -Xmx512m`),
      registry: words(env.TRIBUTARY_REGISTRY_JVM_FLAGS ?? `${smallJvm} -Xmx384m`),
    },
    kafkaSecurity: options.kafkaSecurity,
    env,
    onProgress: (line) => options.onProgress?.(line),
  };
}

function portsOf({ ports }: LocalStackOptions, env: NodeJS.ProcessEnv): Partial<Record<StackPart, number>> {
  const chosen: Partial<Record<StackPart, number>> = {};
  for (const part of stackParts) {
    const variable = portVariable(part);
    const fromEnv = env[variable] ? parsePort(env[variable], variable) : undefined;
    const port = ports?.[part] === undefined ? fromEnv : parsePort(String(ports[part]), `the port of ${part}`);
    if (port !== undefined) chosen[part] = port;
  }
  return chosen;
}

function requireDistinct(ports: Partial<Record<StackPart, number>>): void {
  const chosen = Object.entries(ports);
  for (const [index, [part, port]] of chosen.entries()) {
    const twin = chosen.slice(index + 1).find(([, other]) => other === port);
    if (twin) throw new LocalStackError(`port ${port} is given to both ${part} and ${twin[0]}; choose two`);
  }
}

function words(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}

/** The nearest folder upwards that is the workspace, from source and from dist alike. */
export function repositoryRoot(from: string = dirname(fileURLToPath(import.meta.url))): string {
  const manifest = join(from, 'package.json');
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'tributary') return from;
  const parent = dirname(from);
  if (parent === from)
    throw new LocalStackError('the workspace (package.json "tributary") is not found; give --data-dir');
  return repositoryRoot(parent);
}
