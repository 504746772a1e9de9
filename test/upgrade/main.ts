import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { renderTable } from '../../tools/cli/table.js';
import { demoIntegrations, untilSettled } from '../../tools/start/demo.js';
import { type Environment, startEnvironment } from '../../tools/start/environment.js';
import { type RunningService, type ServicePlan, servicePlans, untilReady } from '../../tools/start/services.js';
import { type LoadOptions, type LoadResult, sendLoad } from '../chaos/load.js';
import { judge } from '../chaos/verdict.js';
import { aheadRecords, type BuiltVersion, buildCommit, nextVersion } from './versions.js';

const help = `Upgrades every service under load, and back again: an earlier commit and this one side by side.

  npm run check:upgrade -- [options]

  --from <commit>    the version before (default HEAD~5)
  --per-second <n>   most events a second (default 60)

The version after has schemas one version ahead. Ends with one line of JSON: name, lost, inversions, ...
`;

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: 'HEAD~5' },
    'per-second': { type: 'string', default: '60' },
    help: { type: 'boolean', short: 'h' },
  },
});

const startedAt = Date.now();
const say = (line: string) => console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);
const readyWithinMs = 90_000;
const eventsInRound = 400;

/** In the order of a deployment: nobody meets a record before somebody who can read it is there. */
const rolled = ['audit-logger', 'connector-http', 'router', 'normalizer', 'ingress'] as const;

const planOf = (name: string): ServicePlan => {
  const plan = servicePlans().find((one) => one.name === name);
  if (!plan) throw new Error(`there is no service ${name}`);
  return plan;
};

/** Brings the other version up beside each service, and takes the one that was there away. */
class Roll {
  private readonly running = new Map<string, RunningService>();

  constructor(private readonly environment: Environment) {
    for (const name of rolled) this.running.set(name, environment.services.get(name) as RunningService);
  }

  async to(version: BuiltVersion): Promise<void> {
    for (const name of rolled) {
      const before = this.running.get(name) as RunningService;
      // One address for senders, as behind a load balancer: there the old one goes first, and they send again.
      const isIngress = name === 'ingress';
      if (isIngress) await stop(before);
      const plan = { ...planOf(name), name: `${name}-${version.name}`, root: version.root };
      const after = await this.environment.launcher.start(
        plan,
        isIngress ? Number(new URL(before.url).port) : undefined,
      );
      await untilReady([after], readyWithinMs);
      if (!isIngress) await stop(before);
      this.running.set(name, after);
      say(`${name} is ${version.name}`);
    }
  }
}

async function stop({ process: running }: RunningService): Promise<void> {
  running.kill('SIGTERM');
  await running.exited;
}

/** What a deployment runs before the first new process. */
async function setUp(environment: Environment, { root }: BuiltVersion): Promise<void> {
  const cli = join(root, 'dist/tools/cli/main.js');
  const env = { ...process.env, ...environment.launcher.environment };
  for (const args of [
    ['database', 'migrate', '--yes'],
    ['topics', 'apply', '--yes'],
    ['schemas', 'register', '--yes'],
  ])
    await promisify(execFile)(process.execPath, [cli, ...args], { env });
}

/** Rows that each process wrote about: both versions must have worked, or nothing was shown. */
async function workOf({ database }: Environment): Promise<Map<string, number>> {
  const rows = await database.query<{ actor: string; count: string }>(
    "SELECT actor, count(*)::text AS count FROM ledger.fact WHERE stage IN ('normalizer', 'router', 'connector') GROUP BY actor",
  );
  return new Map(rows.map(({ actor, count }) => [actor, Number(count)]));
}

async function rollBothWays(environment: Environment, before: BuiltVersion, after: BuiltVersion): Promise<void> {
  const roll = new Roll(environment);
  await roll.to(after);
  say('every service is upgraded; going back');
  await roll.to({ ...before, name: `${before.name}-again` });
  say('every service is what it was before');
}

/** Round after round as long as the work goes on, and one more after it. */
async function sendDuring(
  work: Promise<void>,
  options: Omit<LoadOptions, 'events' | 'prefix'>,
): Promise<LoadResult & { readonly events: number }> {
  let isDone = false;
  const ending = work.finally(() => {
    isDone = true;
  });
  // Whoever fails while a round is sent is heard of after the round.
  ending.catch(() => undefined);
  const sentByKey = new Map<string, readonly string[]>();
  let resent = 0;
  let rounds = 0;
  for (let isLast = false; !isLast; rounds++) {
    isLast = isDone;
    const round = await sendLoad({ ...options, events: eventsInRound, prefix: `${startedAt.toString(36)}-${rounds}` });
    for (const [key, ids] of round.sentByKey) sentByKey.set(key, ids);
    resent += round.resent;
  }
  await ending;
  return { sentByKey, resent, events: rounds * eventsInRound };
}

async function check(environment: Environment, before: BuiltVersion, after: BuiltVersion): Promise<boolean> {
  await environment.apply([demoIntegrations]);
  await setUp(environment, after);
  const ingress = environment.services.get('ingress') as RunningService;
  say(`sending at most ${values['per-second']} events a second until all is done`);
  const load = await sendDuring(rollBothWays(environment, before, after), {
    url: `${ingress.url}/webhooks/demo-crm`,
    secret: environment.secrets.DEMO_STANDARD_SECRET,
    keys: 40,
    perSecond: Number(values['per-second']),
  });
  const proof = await untilSettled(environment, Date.now() + 180_000);
  const verdict = await judge(environment, load, 'demo');
  const work = await workOf(environment);
  const idle = ['normalizer', 'router', 'connector'].flatMap((stage) =>
    [after.name, `${before.name}-again`]
      .filter((name) => ![...work.keys()].some((actor) => actor.startsWith(stage) && actor.endsWith(`-${name}`)))
      .map((name) => `${stage} ${name}`),
  );
  console.log(renderTable(['process', 'records'], [...work].sort()));
  for (const { where, what } of proof.findings) console.log(`✗ ${where}: ${what}`);
  const { lost, inversions, duplicateEffects, strangers } = verdict;
  const seconds = (Date.now() - startedAt) / 1000;
  const told = {
    name: 'upgrade',
    from: before.name,
    events: load.events,
    ...verdict,
    resent: load.resent,
    idle,
    schemasAhead: aheadRecords.length,
    closes: proof.closes,
    seconds,
  };
  console.log(JSON.stringify(told));
  return proof.closes && idle.length === 0 && lost + inversions + duplicateEffects + strangers === 0;
}

async function run(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-upgrade-'));
  const before = await buildCommit(values.from, folder);
  try {
    const after = nextVersion(folder);
    say(`${before.name} is built; ${after.name} is this build with ${aheadRecords.length} schemas ahead`);
    // A program that the version before did not have is not upgraded.
    const plans = servicePlans()
      .filter(({ app }) => existsSync(join(before.root, 'dist/apps', app, 'src/main.js')))
      .map((plan) => ({ ...plan, root: before.root }));
    const dataDir = mkdtempSync(join(folder, 'data-'));
    const environment = await startEnvironment({ dataDir, wipe: true, onProgress: say, plans });
    try {
      return await check(environment, before, after);
    } finally {
      await environment.stop();
    }
  } finally {
    await before.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (values.help) console.log(help);
else if (!(await run())) process.exitCode = 1;
