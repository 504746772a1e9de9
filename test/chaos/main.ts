import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { renderTable } from '../../tools/cli/table.js';
import { demoIntegrations, untilSettled } from '../../tools/start/demo.js';
import { type Environment, startEnvironment } from '../../tools/start/environment.js';
import { servicePlans, untilReady } from '../../tools/start/services.js';
import { runFaults } from './fault-run.js';
import { type FaultName, faultNames } from './faults.js';
import { sendLoad } from './load.js';
import { judge } from './verdict.js';

const help = `Kills services with -9 under load and counts what was lost, repeated or reordered.

  npm run chaos -- [options]

  --events <n>       events to send (default 2000)
  --per-second <n>   most events a second (default 100)
  --keys <n>         keys, each in order (default 40)
  --kill <names>     services in the order of their deaths, separated by commas
                     (default connector-http,normalizer,router,ingress)

  --faults <names>   instead: three connectors under load and what may happen to them; all, or some of
                     ${faultNames.join(', ')}
  --seconds <n>      with --faults: go through them again until so many seconds have passed (default once)
  --long             with --faults: the same as --seconds 1200
  --blocked <n>      with --faults: records that complete above a blocked one before a kill -9 (default 20000; 0: none)

  --help             this text

Ends with one line of JSON: name, lost, inversions, repeats, ...
`;

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '2000' },
    'per-second': { type: 'string', default: '100' },
    keys: { type: 'string', default: '40' },
    kill: { type: 'string', default: 'connector-http,normalizer,router,ingress' },
    faults: { type: 'string' },
    seconds: { type: 'string', default: '0' },
    long: { type: 'boolean', default: false },
    blocked: { type: 'string', default: '20000' },
    help: { type: 'boolean', short: 'h' },
  },
});

const startedAt = Date.now();
const say = (line: string) => console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);

interface Death {
  readonly service: string;
  readonly afterEvents: number;
  recoveredMs?: number;
}

/** kill -9, then a new process on the same port, as a supervisor would. */
async function killAndRestart(environment: Environment, death: Death): Promise<void> {
  const { service } = death;
  const running = environment.services.get(service);
  const plan = servicePlans().find(({ name }) => name === service);
  if (!running || !plan) throw new Error(`there is no service ${service}`);
  const killedAt = Date.now();
  running.process.kill('SIGKILL');
  await running.process.exited;
  say(`${service} was killed with -9`);
  const again = await environment.launcher.start(plan, Number(new URL(running.url).port));
  environment.services.set(service, again);
  await untilReady([again], 60_000);
  death.recoveredMs = Date.now() - killedAt;
  say(`${service} is ready again after ${(death.recoveredMs / 1000).toFixed(1)} s`);
}

async function run(): Promise<boolean> {
  const events = Number(values.events);
  const names = values.kill.split(',').filter(Boolean);
  const deaths: Death[] = names.map((service, i) => ({
    service,
    afterEvents: Math.floor((events * (i + 1)) / (names.length + 1)),
  }));
  const dataDir = mkdtempSync(join(tmpdir(), 'tributary-chaos-'));
  const environment = await startEnvironment({ dataDir, wipe: true, onProgress: say });
  try {
    await environment.apply([demoIntegrations]);
    const ingress = environment.services.get('ingress');
    if (!ingress) throw new Error('ingress is not running');
    say(`sending ${events} events, at most ${values['per-second']} a second`);
    const restarts: Promise<void>[] = [];
    const load = await sendLoad({
      url: `${ingress.url}/webhooks/demo-crm`,
      secret: environment.secrets.DEMO_STANDARD_SECRET,
      events,
      keys: Number(values.keys),
      perSecond: Number(values['per-second']),
      prefix: startedAt.toString(36),
      onProgress: (sent) => {
        for (const death of deaths) if (death.afterEvents === sent) restarts.push(killAndRestart(environment, death));
      },
    });
    await Promise.all(restarts);
    say('everything is sent; waiting until every delivery is settled');
    const proof = await untilSettled(environment, Date.now() + 180_000);
    const verdict = await judge(environment, load, 'demo');
    console.log(
      `\n${renderTable(
        ['killed', 'after events', 'ready again after ms'],
        deaths.map((one) => [one.service, one.afterEvents, one.recoveredMs ?? '-']),
      )}\n`,
    );
    console.log(renderTable(['count', 'value'], Object.entries({ ...verdict, 'webhooks sent again': load.resent })));
    for (const { where, what } of proof.findings) console.log(`✗ ${where}: ${what}`);
    const seconds = (Date.now() - startedAt) / 1000;
    console.log(
      JSON.stringify({ name: 'chaos', events, ...verdict, resent: load.resent, closes: proof.closes, seconds }),
    );
    return proof.closes && verdict.lost + verdict.inversions + verdict.duplicateEffects + verdict.strangers === 0;
  } finally {
    await environment.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function faultsNamed(text: string): FaultName[] {
  const names = text === 'all' ? faultNames : text.split(',').filter(Boolean);
  for (const name of names) {
    if (!faultNames.includes(name as FaultName)) {
      throw new Error(`there is no fault ${name}; there are ${faultNames.join(', ')}`);
    }
  }
  return names as FaultName[];
}

function runAsked(): Promise<boolean> {
  if (values.faults === undefined) return run();
  return runFaults({
    faults: faultsNamed(values.faults),
    perSecond: 300,
    seconds: values.long ? 1_200 : Number(values.seconds),
    blockedRecords: Number(values.blocked),
    say,
  });
}

if (values.help) console.log(help);
else {
  const isGood = await Promise.resolve()
    .then(runAsked)
    .catch((error: Error) => {
      console.error(`chaos: ${error.stack}`);
      return false;
    });
  process.exit(isGood ? 0 : 1);
}
