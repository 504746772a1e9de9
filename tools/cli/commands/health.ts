import { topics } from '@tributary/contracts';
import { consumerGroups } from '@tributary/operations';
import type { Command } from 'commander';
import { acting, print } from '../run.js';
import { everyAddressOf } from '../service-addresses.js';
import type { Session } from '../session.js';
import { renderTable } from '../table.js';
import { stateOf } from './lanes.js';

export function addHealthCommand(program: Command): void {
  program
    .command('health')
    .description('is everything up: Kafka, registry, database, consumer groups and, by address, services')
    .option('--service <url...>', 'base addresses of services to ask for readiness')
    .action(acting(program, healthCommand));
}

async function healthCommand(session: Session, options: { service?: string[] }): Promise<void> {
  const checks: Array<readonly [string, Promise<string>]> = [
    ['kafka', kafka(session)],
    ['schema registry', registry(session)],
    ['database', database(session)],
    ...consumerGroups().map((group) => [`group ${group}`, groupState(session, group)] as const),
    ...(await everyAddressOf(options.service ?? [])).map((url) => [url, service(url)] as const),
  ];
  const rows = await Promise.all(
    checks.map(async ([name, check]) => {
      try {
        return [name, 'up', await check] as const;
      } catch (error) {
        process.exitCode = 1;
        return [name, 'DOWN', (error as Error).message] as const;
      }
    }),
  );
  print(renderTable(['what', 'state', 'detail'], rows));
}

async function kafka(session: Session): Promise<string> {
  const { cluster, brokers } = await session.admin.cluster();
  return `${brokers} brokers, cluster ${cluster}`;
}

/** By a question that services ask too, with their login and authority: that it answers anybody says little. */
async function registry(session: Session): Promise<string> {
  const steps = await session.schemas.plan([topics.audit]);
  const missing = steps.filter(({ isRegistered }) => !isRegistered);
  if (missing.length > 0)
    throw new Error(`answers, and has no schema ${missing[0]?.subject}: \`tributary schemas register\``);
  return 'answers, and knows our schemas';
}

async function database(session: Session): Promise<string> {
  const rows = await session.database.query<{ version: string }>('SHOW server_version', []);
  return `PostgreSQL ${Object.values(rows[0] ?? {})[0] ?? ''}`;
}

/** Ready, and what stands still in it. */
async function service(url: string): Promise<string> {
  const answer = await reachable(new URL('/health/ready', url).href);
  const state = await stateOf(url, 1).catch((error: Error) => error);
  if (state instanceof Error) return answer;
  const { keys, gates, pauses, groups } = state;
  const parked = groups.reduce((sum, { parkedRecords }) => sum + parkedRecords, 0);
  const oldest = keys.list[0]?.since ? ` since ${keys.list[0].since}` : '';
  return `${answer}; ${keys.total} keys stand still${oldest}, ${gates.total} gates closed, ${pauses.total} partitions paused, ${parked} records parked`;
}

async function reachable(url: string): Promise<string> {
  const reply = await fetch(url, { signal: AbortSignal.timeout(3_000) });
  const body = (await reply.text()).slice(0, 200);
  if (!reply.ok) throw new Error(`answers ${reply.status}: ${body}`);
  return `answers ${reply.status}`;
}

async function groupState(session: Session, group: string): Promise<string> {
  const { state, members } = await session.admin.group(group);
  if (members === 0) throw new Error(`has no member (${state}); is the service running?`);
  return `${state}, ${members} members`;
}
