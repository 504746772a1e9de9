import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RuntimeSnapshot } from '@tributary/kafka';
import type { RunningService } from '../../../tools/start/services.js';

const logLines = 25;
const shownOfEach = 6;
const answersWithinMs = 3_000;

/** What somebody on call would look at when something does not arrive: for each service its readiness, what its consumers hold and its last words. */
export async function liveReport(services: Iterable<RunningService>, dataDir: string): Promise<string> {
  const parts = await Promise.all([...services].map((service) => reportOf(service, dataDir)));
  return [`live state at ${new Date().toISOString()}`, ...parts].join('\n\n');
}

async function reportOf(service: RunningService, dataDir: string): Promise<string> {
  const [ready, runtime, log] = await Promise.all([
    ask(service, '/health/ready'),
    ask(service, '/debug/runtime'),
    lastLines(join(dataDir, 'logs', `${service.name}.log`)),
  ]);
  return [`==== ${service.name} (pid ${service.process.pid}): ${ready}`, consumersIn(runtime), log].join('\n');
}

/** A service that hangs or is gone is part of the answer. */
async function ask({ url }: RunningService, path: string): Promise<string> {
  try {
    const answer = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(answersWithinMs) });
    return `${answer.status} ${(await answer.text()).trim()}`;
  } catch (error) {
    return `no answer: ${String((error as Error).cause ?? error)}`;
  }
}

function consumersIn(answer: string): string {
  if (!answer.startsWith('200 ')) return `consumers: ${answer.slice(0, 200)}`;
  return (JSON.parse(answer.slice(4)) as RuntimeSnapshot[]).map(consumerLines).join('\n');
}

function consumerLines({
  group,
  state,
  running,
  partitions,
  pauses,
  heldLanes,
  gates,
  parked,
}: RuntimeSnapshot): string {
  const oldest = partitions.map(({ oldestUnfinishedMs }) => oldestUnfinishedMs ?? Number.POSITIVE_INFINITY);
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
  const facts = {
    running,
    partitions: partitions.length,
    loading: partitions.filter(({ watermark }) => watermark === undefined).length,
    inFlight: sum(partitions.map(({ inFlight }) => inFlight)),
    inMemory: sum(partitions.map(({ windowRecords }) => windowRecords)),
    parked: sum(parked.map(({ records }) => records)),
    oldest: oldest.length > 0 ? timeOf(Math.min(...oldest)) : 'none',
  };
  return [
    `group ${group} is ${state}: ${Object.entries(facts)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}`,
    ...firstOf(
      'paused',
      pauses.map(({ topic, partition, reason, sinceMs }) => `${topic}/${partition} ${reason} since ${timeOf(sinceMs)}`),
    ),
    ...firstOf(
      'held',
      heldLanes.map((lane) => JSON.stringify(lane)),
    ),
    ...firstOf(
      'gate',
      gates.map((gate) => JSON.stringify(gate)),
    ),
    ...firstOf(
      'parked',
      parked.flatMap(({ heads }) => heads).map((head) => JSON.stringify(head)),
    ),
  ].join('\n');
}

function firstOf(what: string, lines: readonly string[]): string[] {
  const shown = lines.slice(0, shownOfEach).map((line) => `  ${what}: ${line}`);
  return lines.length > shown.length ? [...shown, `  ${what}: and ${lines.length - shown.length} more`] : shown;
}

const timeOf = (ms: number): string => (Number.isFinite(ms) ? new Date(ms).toISOString() : 'none');

async function lastLines(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: Error) => error.message);
  return text
    .trimEnd()
    .split('\n')
    .slice(-logLines)
    .map((line) => `  | ${line.slice(0, 600)}`)
    .join('\n');
}
