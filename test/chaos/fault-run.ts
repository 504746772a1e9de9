import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { renderTable } from '../../tools/cli/table.js';
import { order } from '../../tools/start/demo.js';
import { type Environment, startEnvironment } from '../../tools/start/environment.js';
import { type BlockedResult, blockedAndKilled } from './blocked-record.js';
import { ConnectorFleet } from './connector-fleet.js';
import { DeliveryLoad, eventType, placeOf } from './delivery-load.js';
import { type Arrival, longestGapMs, lossesIn, timeToFullRateMs } from './fault-measures.js';
import { type FaultName, type FaultWorld, faults, fleetSize, memberName } from './faults.js';

export interface FaultRunOptions {
  readonly faults: readonly FaultName[];
  readonly perSecond: number;
  /** The faults are gone through again until so many seconds have passed. */
  readonly seconds: number;
  /** Records that complete above a blocked one; 0 leaves the side case out. */
  readonly blockedRecords: number;
  readonly say: (line: string) => void;
}

interface FaultResult {
  readonly fault: string;
  readonly repeats: number;
  readonly longestGapMs: number;
  readonly fullRateMs: number;
  readonly limitMs: number;
}

const target = 'faults';
const destinationMs = 30;
const connectionCount = 24;
const keysPerConnection = 5;
const connections = Array.from({ length: connectionCount }, (_, n) => `faults-${n}`);
/** Steady before a fault, and steady again afterwards, before it counts as over. */
const steadyMs = 4_000;
const longestRecoveryMs = 90_000;
const settledWithinMs = 180_000;

/** Three connectors under load and what may happen to them. @returns whether nothing was lost, reordered or left paused. */
export async function runFaults(options: FaultRunOptions): Promise<boolean> {
  const startedAtMs = Date.now();
  const dataDir = mkdtempSync(join(tmpdir(), 'tributary-faults-'));
  const environment = await startEnvironment({ dataDir, wipe: true, plans: [], onProgress: options.say });
  try {
    return await new FaultRun(environment, options).run(startedAtMs);
  } finally {
    await environment.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

class FaultRun {
  private readonly fleet: ConnectorFleet;
  private readonly results: FaultResult[] = [];

  constructor(
    private readonly environment: Environment,
    private readonly options: FaultRunOptions,
  ) {
    this.fleet = new ConnectorFleet(environment);
  }

  async run(startedAtMs: number): Promise<boolean> {
    const { say, perSecond } = this.options;
    await this.prepare();
    const load = await DeliveryLoad.open(this.environment, connections, keysPerConnection);
    load.start(perSecond);
    await this.untilSteady(load, Date.now());
    say(`steady at ${perSecond} a second, a request takes ${destinationMs} ms`);
    const faultsFromMs = Date.now();
    do for (const name of this.options.faults) await this.strike(name, load);
    while (Date.now() - faultsFromMs < this.options.seconds * 1000);
    await load.stop();
    await this.untilArrived(load);
    const blocked = await this.sideCase(load);
    const report = await this.report(load, blocked, startedAtMs);
    await load.close();
    return report;
  }

  private async prepare(): Promise<void> {
    const file = join(this.environment.stack.dataDir, 'faults.yaml');
    writeFileSync(file, integrations([...connections, 'blocked', 'beside']));
    await this.environment.apply([file]);
    await order(this.environment, 'PUT', `/faults/${target}`, { latencyMs: destinationMs });
    this.options.say(`starting ${fleetSize} connectors`);
    await Promise.all(Array.from({ length: fleetSize }, (_, n) => this.fleet.start(memberName(n + 1))));
  }

  private async strike(name: FaultName, load: DeliveryLoad): Promise<void> {
    const { say, perSecond } = this.options;
    const { what, strike, isClean } = faults[name];
    await sleep(steadyMs);
    const repeatsBefore = (await this.summary()).repeats;
    const faultAtMs = Date.now();
    say(`${name}: ${what}`);
    const world: FaultWorld = { environment: this.environment, fleet: this.fleet, destinationMs, target };
    await strike(world);
    const struckAtMs = Date.now();
    await this.untilSteady(load, struckAtMs);
    const untilMs = Date.now();
    const arrivals = await this.arrivals();
    const fullRateMs = timeToFullRateMs(
      arrivals.map(({ atMs }) => atMs),
      { faultAtMs, untilMs, perSecond },
    );
    const result: FaultResult = {
      fault: name,
      repeats: (await this.summary()).repeats - repeatsBefore,
      longestGapMs: longestGapMs(timesByConnection(arrivals), faultAtMs, untilMs),
      // Of a series of acts, each of which may cost a moment, what counts is the time after the last one.
      fullRateMs:
        name === 'rolling' || name === 'revoked' ? Math.max(0, faultAtMs + fullRateMs - struckAtMs) : fullRateMs,
      limitMs: isClean ? 5_000 : 30_000,
    };
    this.results.push(result);
    say(
      `${name}: full rate after ${result.fullRateMs} ms, longest gap ${result.longestGapMs} ms, ${result.repeats} repeats`,
    );
  }

  /** As much arrives as is sent, nothing is behind, and that for a while. */
  private async untilSteady(load: DeliveryLoad, fromMs: number): Promise<void> {
    const { perSecond } = this.options;
    const deadlineMs = fromMs + longestRecoveryMs;
    for (let steadySinceMs = Date.now(); Date.now() - steadySinceMs < steadyMs; await sleep(250)) {
      const isBehind = load.total - (await this.summary()).effects > perSecond;
      if (isBehind) steadySinceMs = Date.now();
      if (Date.now() > deadlineMs) throw new Error(`the full rate did not come back within ${longestRecoveryMs} ms`);
    }
  }

  private async untilArrived(load: DeliveryLoad): Promise<void> {
    const deadlineMs = Date.now() + settledWithinMs;
    while ((await this.summary()).effects < load.total && Date.now() < deadlineMs) await sleep(250);
  }

  private async sideCase(load: DeliveryLoad): Promise<BlockedResult | undefined> {
    const { blockedRecords, say } = this.options;
    if (blockedRecords === 0) return undefined;
    await order(this.environment, 'PUT', `/faults/${target}`, {});
    const { environment, fleet } = this;
    const summary = () => this.summary();
    return blockedAndKilled({ environment, fleet, load, records: blockedRecords, summary, say });
  }

  private async report(load: DeliveryLoad, blocked: BlockedResult | undefined, startedAtMs: number): Promise<boolean> {
    const losses = lossesIn(load.sent, await this.arrivals());
    const states = await this.fleet.states();
    const paused = states.reduce((sum, { pauses }) => sum + pauses.total, 0);
    const early = await this.fleet.metric('attempts_early_total');
    const { repeats } = await this.summary();
    const rows = this.results.map((one) => [one.fault, one.repeats, one.longestGapMs, one.fullRateMs, one.limitMs]);
    console.log(
      `\n${renderTable(['fault', 'repeats', 'longest gap ms', 'ms to full rate', 'goal ms'], rows)}\n\n${renderTable(
        ['count', 'value'],
        Object.entries({ ...losses, repeats, 'partitions paused': paused, 'attempts too early': early, ...blocked }),
      )}\n`,
    );
    const seconds = (Date.now() - startedAtMs) / 1000;
    const verdict = { ...losses, repeats, paused, early };
    console.log(
      JSON.stringify({
        name: 'chaos-faults',
        events: load.total,
        ...verdict,
        ...blocked,
        faults: this.results,
        seconds,
      }),
    );
    return losses.lost + losses.inversions + paused + early === 0;
  }

  private async summary(): Promise<{ readonly effects: number; readonly repeats: number }> {
    const answers = await Promise.all(
      [target, 'blocked'].map((name) => fetch(`${this.environment.sandbox.url}/effects/${name}?summary=true`)),
    );
    const [all, alone] = await Promise.all(answers.map((answer) => answer.json() as Promise<EffectCounts>));
    return {
      effects: (all?.effects ?? 0) + (alone?.effects ?? 0),
      repeats: (all?.repeats ?? 0) + (alone?.repeats ?? 0),
    };
  }

  private async arrivals(): Promise<(Arrival & { readonly connection: string })[]> {
    const lists = await Promise.all(
      [target, 'blocked'].map(async (name) => {
        const answer = await fetch(`${this.environment.sandbox.url}/effects/${name}`);
        return ((await answer.json()) as { list: { summary: string; atMs: number }[] }).list;
      }),
    );
    return lists.flat().map(({ summary, atMs }) => ({ ...placeOf(summary.split(' ').at(-1) ?? ''), atMs }));
  }
}

interface EffectCounts {
  readonly effects: number;
  readonly repeats: number;
}

function timesByConnection(arrivals: readonly (Arrival & { readonly connection: string })[]): Map<string, number[]> {
  const times = new Map<string, number[]>(connections.map((connection) => [connection, []]));
  for (const { connection, atMs } of arrivals) times.get(connection)?.push(atMs);
  for (const list of times.values()) list.sort((a, b) => a - b);
  return times;
}

/** One HTTP connection for each id; `blocked` has a target of its own, so that it alone can be blocked. */
function integrations(ids: readonly string[]): string {
  const url = (id: string) => `\${SANDBOX_URL}/http/${id === 'blocked' ? 'blocked' : target}`;
  const connection = (id: string) =>
    `  - { id: ${id}, tenant: faults, destination: http, settings: { url: "${url(id)}" }, secrets: { signing: [env:DEMO_SIGNING_KEY] } }`;
  const subscription = (id: string) =>
    `  - { id: ${id}, tenant: faults, events: [${eventType}], to: ${id}, operation: postEvent }`;
  return `connections:\n${ids.map(connection).join('\n')}\nsubscriptions:\n${ids.map(subscription).join('\n')}\n`;
}
