import { join } from 'node:path';
import { renderTable } from '../cli/table.js';
import { repositoryRoot } from '../local-stack/index.js';
import { demoIntegrations } from '../start/demo.js';
import { type Environment, startEnvironment } from '../start/environment.js';
import { nameOf } from './alert-watch.js';
import { panelResults } from './panels.js';
import { Prometheus } from './prometheus.js';
import { breakAndMend, measureAgreement, say } from './trial.js';

/** Every time that a rule names is divided by it: an hour passes in two minutes. */
const dividedBy = 30;
const tolerated = 0.02;

const serviceEnv = {
  TRACE_RATIO: '0.01',
  PROOF_SECONDS: '5',
  DEAD_LETTER_SECONDS: '1',
  LAG_SECONDS: '1',
  AUDIT_CHECKPOINT_SECONDS: '1',
};

async function run(environment: Environment): Promise<boolean> {
  await environment.apply([demoIntegrations]);
  const prometheus = await Prometheus.start(environment, dividedBy);
  const startedAt = Date.now() / 1000;
  say(
    `Prometheus scrapes ${environment.services.size} services once a second; times of rules are divided by ${dividedBy}`,
  );
  await prometheus.untilScraped(environment.services.size, Date.now() + 20_000);
  const agreement = await measureAgreement(environment, prometheus);
  const { fates, early, broken } = await breakAndMend(environment, prometheus);
  say('asking for what every panel shows');
  const panels = await panelResults(prometheus, startedAt);

  const must = panels.filter(({ emptyWhile }) => emptyWhile === undefined);
  const empty = must.filter(({ values }) => values === 0);
  const mayBeEmpty = panels.filter(({ values, emptyWhile }) => values === 0 && emptyWhile !== undefined);
  const rows = fates.map(({ expected, firedAfter, resolvedAfter }) => [
    nameOf(expected),
    firedAfter ?? 'never',
    resolvedAfter ?? 'never',
  ]);
  console.log(`\n${renderTable(['alert', 'fires after s', 'ends after s'], rows)}\n`);
  const measured = agreement.map(({ what, panel, log, exact, apart }) => [
    what,
    panel.toFixed(4),
    log.toFixed(4),
    exact?.toFixed(4) ?? '-',
    `${(apart * 100).toFixed(2)} %`,
  ]);
  console.log(
    `${renderTable(['of the HTTP destination', 'panel', "sandbox's log", 'without buckets', 'apart'], measured)}\n`,
  );
  console.log(
    renderTable(
      ['dashboard', 'queries', 'with data', 'empty'],
      [...Map.groupBy(panels, ({ dashboard }) => dashboard)].map(([name, list]) => [
        name,
        list.length,
        list.filter(({ values }) => values > 0).length,
        list
          .filter(({ values }) => values === 0)
          .map(({ panel, emptyWhile }) => `${panel}${emptyWhile ? ` (${emptyWhile})` : ''}`)
          .join('; ') || '-',
      ]),
    ),
  );
  const result = {
    dividedBy,
    panels: must.length,
    panelsWithData: must.length - empty.length,
    panelsThatMayBeEmpty: mayBeEmpty.length,
    alertsFired: fates.filter(({ firedAfter }) => firedAfter !== undefined).length,
    alertsResolved: fates.filter(({ resolvedAfter }) => resolvedAfter !== undefined).length,
    alertsExpected: fates.length,
    alertsWhileAllWasWell: early,
    annotationsBroken: broken,
    apart: Object.fromEntries(agreement.map(({ what, apart }) => [what, Number(apart.toFixed(4))])),
  };
  const holds =
    empty.length === 0 &&
    early.length === 0 &&
    broken.length === 0 &&
    fates.every(({ firedAfter, resolvedAfter }) => firedAfter !== undefined && resolvedAfter !== undefined) &&
    agreement.every(({ apart }) => apart <= tolerated);
  console.log(`\n${JSON.stringify({ holds, ...result })}`);
  return holds;
}

async function main(): Promise<number> {
  const dataDir = join(repositoryRoot(), '.local-observability');
  const environment = await startEnvironment({ dataDir, wipe: true, serviceEnv, onProgress: say });
  try {
    const holds = await run(environment);
    // What went wrong is in its logs.
    if (holds) environment.stack.supervisor.removeAtEnd(dataDir);
    else console.error(`logs are in ${join(dataDir, 'logs')}`);
    return holds ? 0 : 1;
  } finally {
    await environment.stop();
  }
}

process.exitCode = await main().catch((error: Error) => {
  console.error(`check:observability: ${error.message}`);
  return 1;
});
process.exit();
