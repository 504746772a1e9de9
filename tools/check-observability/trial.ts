import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { deadLetterTopicOf, topicFamilies } from '@tributary/contracts';
import { repositoryRoot } from '../local-stack/index.js';
import { order, untilSettled } from '../start/demo.js';
import type { Environment } from '../start/environment.js';
import { apart, bucketedQuantile, exactQuantile, type GivenAnswer, successIn } from './agreement.js';
import { type Expected, type Fate, untilFiring, untilResolved } from './alert-watch.js';
import { SteadyLoad } from './load.js';
import { queryOf, withWindow } from './panels.js';
import type { Prometheus } from './prometheus.js';

const startedAt = performance.now();
export const say = (line: string) =>
  console.log(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s  ${line}`);

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export interface Agreement {
  readonly what: string;
  readonly panel: number;
  readonly log: number;
  readonly exact?: number;
  readonly apart: number;
}

const measuredMs = 20_000;
/**
 * Some requests are slow and fail: enough for a p95 among the slow ones, too few in a row for the breaker. The time lies in the middle of a
 * wide bucket, so that what the caller measures on top of it changes no bucket.
 */
const unsteady = { status: 500, latencyMs: 600, probability: 0.15 };

/** Success rate and p95 of the HTTP destination by its panels, held against what the sandbox itself has noted. */
export async function measureAgreement(environment: Environment, prometheus: Prometheus): Promise<Agreement[]> {
  say(
    `load for ${measuredMs / 1000} s; ${unsteady.probability * 100} % of the HTTP destination's answers are slow and fail`,
  );
  const fromMs = Date.now();
  await order(environment, 'PUT', '/faults/demo', unsteady);
  const load = new SteadyLoad(environment);
  load.start();
  await sleep(measuredMs);
  await load.stop();
  await order(environment, 'PUT', '/faults/demo', {});
  await untilSettled(environment, Date.now() + 60_000);
  // What was counted last has to be scraped.
  await sleep(2_500);
  const answers = await answersOf(environment, 'demo');
  const seconds = answers.map(({ durationMs }) => durationMs / 1000);
  const window = `${Math.ceil((Date.now() - fromMs) / 1000) + 5}s`;
  const ask = async (title: string, part: number): Promise<number> => {
    const query = withWindow(queryOf('destination', title, part), window).replaceAll('$destination', 'http');
    return (await prometheus.instant(query))[0]?.value ?? Number.NaN;
  };
  const success = { panel: await ask('Success rate', 0), log: successIn(answers) };
  // The second quantile of the panel.
  const p95 = { panel: await ask('Time of an attempt', 1), log: bucketedQuantile(0.95, seconds) };
  say(`${answers.length} answers of the HTTP destination compared`);
  return [
    { what: 'success rate', ...success, apart: apart(success.panel, success.log) },
    { what: 'p95 s', ...p95, exact: exactQuantile(0.95, seconds), apart: apart(p95.panel, p95.log) },
  ];
}

async function answersOf({ sandbox }: Environment, target: string): Promise<readonly GivenAnswer[]> {
  const answer = await fetch(`${sandbox.url}/requests/${target}`);
  return ((await answer.json()) as { answers: readonly GivenAnswer[] }).answers;
}

const deadTopics = [topicFamilies.raw('github'), topicFamilies.delivery('http')].map(
  (topic) => deadLetterTopicOf(topic).name,
);

const expected: readonly Expected[] = [
  { alert: 'DeliveryErrorBudgetBurn', labels: { destination: 'http', window: '1h' } },
  { alert: 'DeliveryErrorBudgetBurn', labels: { destination: 'http', window: '6h' } },
  { alert: 'OldestUnacknowledged', labels: { group: 'connector-http' } },
  { alert: 'ConnectionSuspended', labels: { destination: 'slack' } },
  ...deadTopics.map((topic) => ({ alert: 'DeadLettersOpen', labels: { topic } })),
  { alert: 'SignatureFailureSurge', labels: { source: 'gusto' } },
];

export interface TrialResult {
  readonly fates: readonly Fate[];
  /** Alerts that fired before anything was broken. */
  readonly early: readonly string[];
  /** Alerts whose texts Prometheus could not fill in. */
  readonly broken: readonly string[];
}

/** Breaks what the alerts are for, waits until they fire, mends it, and waits until they end. */
export async function breakAndMend(environment: Environment, prometheus: Prometheus): Promise<TrialResult> {
  const early = await firingWhileWell(environment, prometheus);
  say('breaking: the HTTP destination answers 503, Slack 401, webhooks come forged and unreadable');
  await order(environment, 'PUT', '/faults/demo', { status: 400, count: 3 });
  await order(environment, 'PUT', '/faults/slack', { status: 401 });
  const load = new SteadyLoad(environment);
  load.start();
  await load.sendFaulty('github', 'unreadable-body', 2);
  await untilDead(environment, prometheus);
  await order(environment, 'PUT', '/faults/demo', { status: 503 });
  let isBroken = true;
  const forging = (async () => {
    while (isBroken) {
      await load.sendFaulty('gusto', 'wrong-secret', 5);
      await sleep(200);
    }
  })();
  await askConsole(environment);
  const fired = await untilFiring(prometheus, expected, 90_000);
  say(`${fired.size} of ${expected.length} alerts fire; mending`);
  isBroken = false;
  await forging;
  await order(environment, 'PUT', '/faults/demo', {});
  await order(environment, 'PUT', '/faults/slack', {});
  await tributary(environment, ['resume', 'demo-slack', '--reason', 'mended']);
  for (const topic of deadTopics)
    await tributary(environment, ['dlt', 'discard', '--topic', topic, '--reason', 'a trial']);
  const resolved = await untilResolved(prometheus, expected, 120_000);
  say(`${resolved.size} of ${expected.length} alerts have ended`);
  await load.stop();
  const fates = expected.map((one) => ({
    expected: one,
    firedAfter: fired.get(one)?.after,
    resolvedAfter: resolved.get(one),
  }));
  const broken = [...fired.values()].flatMap(({ as }) =>
    Object.values(as.annotations).filter((text) => /<no value>|error|\{\{/.test(text) && /<|\{\{/.test(text)),
  );
  return { fates, early, broken };
}

const calmMs = 8_000;
/** Longer than the shortest window: while a rate rises, what is on its way looks late in it. */
const rampMs = 15_000;

/** Names of alerts that fire while everything works, after what the unsteady time before has left behind. */
async function firingWhileWell(environment: Environment, prometheus: Prometheus): Promise<string[]> {
  const load = new SteadyLoad(environment);
  load.start();
  await sleep(rampMs);
  const deadline = Date.now() + 60_000;
  while ((await prometheus.firing()).length > 0 && Date.now() < deadline) await sleep(500);
  say(`everything works for ${calmMs / 1000} s: no alert may fire`);
  const names = new Set<string>();
  for (const until = Date.now() + calmMs; Date.now() < until; await sleep(500))
    for (const { labels } of await prometheus.firing()) names.add(labels.alertname ?? '');
  await load.stop();
  return [...names];
}

/** Until the destination has refused what it was told to: afterwards it fails otherwise. */
async function untilDead({ sandbox }: Environment, prometheus: Prometheus): Promise<void> {
  const deadline = Date.now() + 30_000;
  const dead = () => prometheus.instant('sum(records_dead_lettered_total{group="connector-http"})');
  while (((await dead())[0]?.value ?? 0) < 3) {
    if (Date.now() > deadline) throw new Error(`the refusals of ${sandbox.url} did not become dead letters in time`);
    await sleep(200);
  }
}

/** Twice, because a counter that begins with a question does not show it as growth. Refused for want of a key, which is an answer too. */
async function askConsole({ services }: Environment): Promise<void> {
  for (let n = 0; n < 2; n++) {
    const answer = await fetch(`${services.get('console')?.url}/v1/audit/summary`);
    if (answer.status !== 401) throw new Error(`the console answers ${answer.status} to a question without a key`);
    await sleep(2_000);
  }
}

/** The command line, as a person would use it. */
async function tributary({ launcher }: Environment, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [join(repositoryRoot(), 'dist/tools/cli/main.js'), ...args], {
    env: { ...process.env, ...launcher.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`tributary ${args.join(' ')} ended with ${code}: ${said}`);
}
