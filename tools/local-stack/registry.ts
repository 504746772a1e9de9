import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { waitUntilHealthy } from './health.js';
import { loopback, onFreePorts } from './ports.js';
import { registryDatabase } from './postgres.js';
import type { RegistryLine } from './registry-line.js';
import type { ProcessSpec, SupervisedProcess, Supervisor } from './supervisor.js';

export interface RegistryOptions {
  readonly supervisor: Supervisor;
  readonly java: string;
  readonly line: RegistryLine;
  readonly jar: string;
  /** Where the line that cannot use PostgreSQL keeps its file. */
  readonly dataFolder: string;
  readonly jvmFlags: readonly string[];
  readonly logFile: string;
  readonly port: number | undefined;
  readonly postgresPort: number;
}

export interface RunningRegistry {
  readonly process: SupervisedProcess;
  readonly url: string;
}

/** Stored on disk: an in-memory registry would forget the ids that kept Kafka records carry. */
export async function startRegistry(options: RegistryOptions): Promise<RunningRegistry> {
  const { supervisor, logFile } = options;
  return onFreePorts([options.port], async ([port]) => {
    const process = await supervisor.spawn(registry(options, port!));
    const url = `http://${loopback}:${port}/apis/ccompat/v7`;
    await waitUntilHealthy({ process, logFile, deadlineMs: 90_000, probe: () => requireOwn(url, port!, logFile) });
    return { process, url };
  });
}

function registry(options: RegistryOptions, port: number): ProcessSpec {
  const { java, jar, jvmFlags, logFile, line } = options;
  const settings = {
    'quarkus.http.host': loopback,
    'quarkus.http.port': String(port),
    // Otherwise a folder in the shared temporary folder, which the first user of this machine owns.
    'quarkus.vertx.cache-directory': join(dirname(logFile), 'registry-cache'),
    ...(line === '3.3' ? inPostgres(options) : inFile),
  };
  const properties = Object.entries(settings).map(([key, value]) => `-D${key}=${value}`);
  return {
    name: 'registry',
    command: java,
    args: [...jvmFlags, `-XX:ErrorFile=${logFile}.jvm-crash`, ...properties, '-jar', jar],
    cwd: line === '3.3' ? dirname(logFile) : options.dataFolder,
    logFile,
    stopOrder: 1,
  };
}

function inPostgres({ postgresPort }: RegistryOptions): Record<string, string> {
  return {
    // Cannot be switched off at run time; by default it is port 9000 on every interface. 0 lets the system choose.
    'quarkus.management.host': loopback,
    'quarkus.management.port': '0',
    'apicurio.storage.kind': 'sql',
    'apicurio.storage.sql.kind': 'postgresql',
    'apicurio.datasource.url': `jdbc:postgresql://${loopback}:${postgresPort}/${registryDatabase.name}`,
    'apicurio.datasource.username': registryDatabase.user,
    'apicurio.datasource.password': registryDatabase.password,
  };
}

const inFile: Readonly<Record<string, string>> = {
  // Relative to the working folder, because ';' or '$' in a path would end or change the URL. Without WRITE_DELAY=0
  // the schemas of the last half second are lost with a kill -9 while the records that carry their ids remain.
  'quarkus.datasource.jdbc.url': 'jdbc:h2:file:./registry;WRITE_DELAY=0;DB_CLOSE_ON_EXIT=FALSE',
  'quarkus.datasource.jdbc.initial-size': '1',
  'quarkus.datasource.jdbc.min-size': '1',
  'quarkus.datasource.jdbc.max-size': '10',
};

async function requireOwn(url: string, port: number, logFile: string): Promise<void> {
  // Another stack's registry may hold the port and answer just as well; only ours writes to this log.
  if (!readFileSync(logFile, 'utf8').includes(`:${port}`)) throw new Error('it does not listen yet');
  const reply = await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(3_000) });
  await reply.arrayBuffer();
  if (!reply.ok) throw new Error(`${url}/subjects answers ${reply.status}`);
}
