import type { LiveState } from '@tributary/runtime';
import type { Command } from 'commander';
import { CommandFailure, print, reporting } from '../run.js';
import { everyAddressOf } from '../service-addresses.js';
import { renderTable } from '../table.js';

interface LanesOptions {
  readonly service: string[];
  readonly limit: string;
  readonly json?: boolean;
}

export function addLanesCommand(program: Command): void {
  program
    .command('lanes')
    .description('what stands still in running services: held keys, closed gates, paused partitions, parked records')
    .requiredOption('--service <url...>', 'base addresses of services, as for health')
    .option('--limit <n>', 'most keys to show of each service', '100')
    .option('--json', 'print as JSON')
    .action(reporting(lanesCommand));
}

/** What a service says about itself. @throws CommandFailure */
export async function stateOf(service: string, limit: number): Promise<LiveState> {
  const url = new URL(`/state?limit=${limit}`, service);
  const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch((error: Error) => {
    throw new CommandFailure(
      `${service} does not answer: ${(error.cause as Error | undefined)?.message ?? error.message}`,
    );
  });
  if (answer.status === 404) throw new CommandFailure(`${service} consumes nothing, so nothing can stand still there`);
  const text = await answer.text();
  if (!answer.ok) throw new CommandFailure(`${service} answers ${answer.status}: ${text.slice(0, 200)}`);
  return JSON.parse(text) as LiveState;
}

async function lanesCommand({ service, limit, json }: LanesOptions): Promise<void> {
  if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > 1_000) {
    throw new CommandFailure(`--limit is ${limit}; it must be a whole number from 1 to 1000`);
  }
  const states = await Promise.all(
    (await everyAddressOf(service)).map(async (url) => ({ service: url, ...(await stateOf(url, Number(limit))) })),
  );
  if (json) return print(JSON.stringify(states, null, 2));
  for (const state of states) print(renderState(state));
}

function renderState({ service, groups, keys, gates, pauses }: LiveState & { readonly service: string }): string {
  const parts = groups.map(
    ({ group, state, partitions, running, windowRecords, parkedRecords, parkedKeys }) =>
      `${service}: ${group} is ${state}, ${partitions} partitions, ${running} attempts under way, ${windowRecords} records in memory, ${parkedRecords} parked of ${parkedKeys} keys`,
  );
  if (keys.total > 0) parts.push(renderKeys(keys));
  if (gates.total > 0) {
    const rows = gates.list.map(({ scope, kind, until, waitingKeys, reason }) => [
      scope,
      kind,
      until ?? 'somebody resumes it',
      waitingKeys,
      reason.slice(0, 80),
    ]);
    parts.push(renderTable(['closed gate', 'kind', 'until', 'keys in memory', 'reason'], rows));
  }
  if (pauses.total > 0) {
    const rows = pauses.list.map(({ topic, partition, since, reason }) => [topic, partition, since, reason]);
    parts.push(renderTable(['paused topic', 'partition', 'since', 'reason'], rows));
  }
  if (keys.total + gates.total + pauses.total === 0) parts.push('nothing stands still');
  return `${parts.join('\n\n')}\n`;
}

function renderKeys({ total, list }: LiveState['keys']): string {
  const rows = list.map(({ lane, state, since, until, attempts, parked, topic, partition, offset, reason }) => [
    lane,
    state,
    since ?? '',
    until ?? '',
    attempts,
    parked,
    `${topic}/${partition}/${offset}`,
    reason.slice(0, 60),
  ]);
  const table = renderTable(['key', 'state', 'since', 'until', 'attempts', 'parked', 'record', 'reason'], rows);
  return list.length < total ? `${table}\n${total - list.length} more keys: raise --limit` : table;
}
