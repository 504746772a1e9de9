import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { renderTable } from '../../tools/cli/table.js';
import { repositoryRoot } from '../../tools/local-stack/index.js';
import { destinations } from '../e2e/arrivals.js';
import { lostOf, runStage } from '../e2e/stage.js';
import { startSystem } from '../e2e/system.js';
import { grownBy } from './sizes.js';

const help = `What a thousand events cost: CPU seconds of each process, bytes of each topic and table.

  npm run bench:capacity -- [options]

  --rate <n>      webhooks a second (default 400)
  --seconds <n>   for how long (default 60)
  --warm-up <n>   seconds before, which are not counted (default 40)
  --write         keep the result in bench/capacity/measured.json; then npm run generate makes docs/capacity.md of it
  --help          this text

Each event is a GitHub webhook of about 1 kB with three deliveries. Ends with one line of JSON.
`;

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '400' },
    seconds: { type: 'string', default: '60' },
    'warm-up': { type: 'string', default: '40' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h' },
  },
});

const startedAt = Date.now();
const say = (line: string) => console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);

function wholeNumber(name: 'rate' | 'seconds' | 'warm-up'): number {
  const number = Number(values[name]);
  if (Number.isInteger(number) && number >= 1) return number;
  throw new Error(`--${name} has ${JSON.stringify(values[name])}; it must be a whole number from 1`);
}

async function run(): Promise<boolean> {
  const [rate, seconds, warmUp] = [wholeNumber('rate'), wholeNumber('seconds'), wholeNumber('warm-up')];
  const dataDir = mkdtempSync(join(tmpdir(), 'tributary-capacity-'));
  const system = await startSystem(dataDir, say);
  try {
    await runStage(system, rate, warmUp);
    say('warm');
    const before = await system.sizes();
    const measured = await runStage(system, rate, seconds);
    const after = await system.sizes();
    const lost = lostOf(system);
    const cpuSeconds = Object.fromEntries(
      [...measured.cpuMs].map(([name, ms]) => [name, Number(ms.toFixed(3))] as const),
    );
    const result = {
      name: 'capacity',
      rate,
      events: measured.sent,
      deliveriesPerEvent: destinations,
      // Milliseconds of an event are seconds of a thousand.
      cpuSecondsPer1000: cpuSeconds,
      topicBytesPer1000: grownBy(after.topics, before.topics, measured.sent),
      tableBytesPer1000: grownBy(after.tables, before.tables, measured.sent),
      p99Ms: Math.round(measured.p99Ms),
      lost,
      conditions: `${cpus().length} cores shared by everything, the load included; node ${process.version}; ${seconds} s at ${rate}/s after ${warmUp} s of warm-up; RF 1, acks=all, ledger on`,
    };
    const tables: ReadonlyArray<readonly [string, Record<string, number>]> = [
      ['CPU seconds of 1,000 events', result.cpuSecondsPer1000],
      ['bytes of 1,000 events, topics', result.topicBytesPer1000],
      ['bytes of 1,000 events, tables', result.tableBytesPer1000],
    ];
    for (const [head, rows] of tables) console.log(`\n${renderTable([head, ''], Object.entries(rows))}`);
    if (values.write) {
      writeFileSync(join(repositoryRoot(), 'bench/capacity/measured.json'), `${JSON.stringify(result, null, 2)}\n`);
    }
    console.log(JSON.stringify(result));
    return lost === 0;
  } finally {
    await system.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

if (values.help) console.log(help);
else if (!(await run())) process.exitCode = 1;
