import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { renderTable } from '../../tools/cli/table.js';
import { destinations } from './arrivals.js';
import { whyNotHeld } from './held.js';
import { lostOf, type Measured, runStage } from './stage.js';
import { type System, startSystem } from './system.js';

const help = `A webhook's way to three HTTP destinations: latency at a fixed rate, the highest rate that is held, CPU of every process.

  npm run bench:e2e -- [options]

  --rate <n>       webhooks a second of the latency stage (default 200)
  --seconds <n>    seconds of the latency stage (default 30)
  --rates <list>   rates of the search, in rising order (default 300,400,500,700,900,1200,1500)
  --max-rate <n>   searches no higher; 0 leaves the search out (default 1500)
  --hold <n>       seconds for which the highest rate is confirmed (default 60)
  --warm-up <n>    seconds before all that (default 40)
  --help           this text

A rate is held when every webhook is accepted, events arrive at 98 % of the rate or more, the backlog does not grow, and 5 s after
the end all deliveries have arrived. Ends with one line of JSON: name, p50MsAt200, p99MsAt200, eventsPerSecond, ...
`;

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '30' },
    rates: { type: 'string', default: '300,400,500,700,900,1200,1500' },
    'max-rate': { type: 'string', default: '1500' },
    hold: { type: 'string', default: '60' },
    'warm-up': { type: 'string', default: '40' },
    help: { type: 'boolean', short: 'h' },
  },
});

/** Its figures are thrown away. A process that has seen a few thousand events takes several times the CPU of one that is warm. */
const warmUpRate = 300;
const probeSeconds = 20;
const mostConfirmations = 2;

const startedAt = Date.now();
const say = (line: string) => console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);

interface Asked {
  readonly rate: number;
  readonly seconds: number;
  readonly rates: readonly number[];
  readonly holdSeconds: number;
  readonly warmUpSeconds: number;
}

function asked(): Asked {
  const maxRate = numberOf('max-rate', 0);
  const rates = values.rates.split(',').map((text) => wholeNumber('--rates', text, 1));
  return {
    rate: numberOf('rate', 1),
    seconds: numberOf('seconds', 1),
    rates: rates.filter((rate) => rate <= maxRate).sort((a, b) => a - b),
    holdSeconds: numberOf('hold', 1),
    warmUpSeconds: numberOf('warm-up', 1),
  };
}

const numberOf = (name: 'rate' | 'seconds' | 'max-rate' | 'hold' | 'warm-up', least: number): number =>
  wholeNumber(`--${name}`, values[name], least);

function wholeNumber(name: string, text: string, least: number): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isInteger(number) && number >= least) return number;
  throw new Error(`${name} has ${JSON.stringify(text)}; it must be a whole number from ${least}`);
}

async function stage(system: System, rate: number, seconds: number): Promise<Measured> {
  const measured = await runStage(system, rate, seconds);
  const why = whyNotHeld(measured, destinations);
  say(
    `${rate}/s for ${seconds} s: ${measured.achieved.toFixed(0)}/s arrived, p50 ${measured.p50Ms.toFixed(0)}, p99 ${measured.p99Ms.toFixed(0)} ms, ${measured.cores.toFixed(2)} cores, ledger ${measured.ledgerLag} records behind at the end; ${why ?? 'held'}`,
  );
  return measured;
}

/** Short probes upwards until one is not held, then the longer confirmation of the last that was. */
async function search(system: System, { rates, holdSeconds }: Asked): Promise<Measured | undefined> {
  const held: number[] = [];
  for (const rate of rates) {
    if (whyNotHeld(await stage(system, rate, probeSeconds), destinations)) break;
    held.push(rate);
  }
  for (let i = 0; i < mostConfirmations; i++) {
    const rate = held.pop();
    if (rate === undefined) break;
    const confirmation = await stage(system, rate, holdSeconds);
    if (!whyNotHeld(confirmation, destinations)) return confirmation;
  }
  return undefined;
}

async function run(what: Asked): Promise<boolean> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tributary-e2e-'));
  const system = await startSystem(dataDir, say);
  try {
    await stage(system, warmUpRate, what.warmUpSeconds);
    const { lastRefusal } = system.load;
    if (lastRefusal !== undefined) throw new Error(`ingress does not accept the warm-up's webhooks: ${lastRefusal}`);
    if (lostOf(system) > 0)
      throw new Error(`${lostOf(system)} deliveries of the warm-up never came; see the services' logs`);
    const fixed = await stage(system, what.rate, what.seconds);
    const highest = await search(system, what);
    const lost = lostOf(system);
    const { repeated, strange } = system.arrivals;
    printTables([fixed, ...(highest ? [highest] : [])]);
    console.log(JSON.stringify(lineOf(what, { fixed, highest, lost, repeated })));
    return lost + strange === 0;
  } finally {
    await system.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function printTables(stages: readonly Measured[]): void {
  const head = ['webhooks/s', 's', 'p50 ms', 'p99 ms', 'p50 ms from the 200', 'p99 ms from the 200', 'cores'];
  const rows = stages.map((one) => [
    one.rate,
    one.seconds,
    Math.round(one.p50Ms),
    Math.round(one.p99Ms),
    Math.round(one.acceptedP50Ms),
    Math.round(one.acceptedP99Ms),
    one.cores.toFixed(2),
  ]);
  console.log(`\n${renderTable(head, rows)}\n`);
  const names = [...(stages[0]?.cpuMs.keys() ?? [])];
  const costs = names.map((name) => [name, ...stages.map(({ cpuMs }) => rounded(cpuMs.get(name) ?? 0, 3))]);
  const heads = ['CPU ms each event', ...stages.map(({ rate }) => `at ${rate}/s`)];
  const sums = stages.map(({ cpuMs }) =>
    rounded(
      [...cpuMs.values()].reduce((sum, ms) => sum + ms, 0),
      3,
    ),
  );
  console.log(`${renderTable(heads, [...costs, ['all', ...sums]])}\n`);
}

interface Findings {
  readonly fixed: Measured;
  readonly highest: Measured | undefined;
  readonly lost: number;
  readonly repeated: number;
}

function lineOf({ rate, holdSeconds }: Asked, { fixed, highest, lost, repeated }: Findings) {
  const costs = (highest ?? fixed).cpuMs;
  return {
    name: 'e2e',
    [`p50MsAt${rate}`]: Math.round(fixed.p50Ms),
    [`p99MsAt${rate}`]: Math.round(fixed.p99Ms),
    eventsPerSecond: highest ? highest.rate : 0,
    deliveriesPerSecond: highest ? highest.rate * destinations : 0,
    p50Ms: highest ? Math.round(highest.p50Ms) : null,
    p99Ms: highest ? Math.round(highest.p99Ms) : null,
    cpuMsPerEvent: Object.fromEntries([...costs].map(([name, ms]) => [name, rounded(ms, 3)])),
    lost,
    repeated,
    conditions: `${cpus().length} cores shared by everything, the load included; node ${process.version}; ${fixed.seconds} s at ${rate}/s, then the highest rate held for ${holdSeconds} s; RF 1, acks=all, ledger on; broker and registry with the C1 compiler and the serial collector`,
  };
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

if (values.help) console.log(help);
else if (!(await run(asked()))) process.exitCode = 1;
