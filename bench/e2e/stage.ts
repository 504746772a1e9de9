import { type Arrivals, destinations, nowMs } from './arrivals.js';
import { difference } from './cpu.js';
import { percentile, type Stage } from './held.js';
import type { Sent } from './load.js';
import type { System } from './system.js';

/** A stage with its latencies and what it cost. */
export interface Measured extends Stage {
  /** From the moment at which a webhook was due to its third destination's request. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** From the 200 on. */
  readonly acceptedP50Ms: number;
  readonly acceptedP99Ms: number;
  /** CPU milliseconds of each event, by process. */
  readonly cpuMs: ReadonlyMap<string, number>;
  /** Share of all cores that was in use by what is measured, the load included. */
  readonly cores: number;
  /** Audit records not in the ledger when the last delivery had arrived, and the time until they were. */
  readonly ledgerLag: number;
  readonly ledgerMs: number;
}

const sampleEveryMs = 250;
const drainLimitMs = 60_000;

/** Sends at a constant rate, waits until everything has arrived and is in the ledger, and says what was seen. */
export async function runStage(system: System, rate: number, seconds: number): Promise<Measured> {
  const { load, arrivals } = system;
  const first = load.sent.length;
  const [refused, cpuBefore, startedAt] = [load.refused, system.cpuMs(), nowMs()];
  const outstanding: number[] = [];
  const sampling = setInterval(() => outstanding.push(onTheirWay(system)), sampleEveryMs);
  await load.run(rate, seconds);
  clearInterval(sampling);
  const endedAt = nowMs();
  const isDrained = await until(
    async () => load.answered === load.sent.length && onTheirWay(system) <= 0,
    drainLimitMs,
  );
  const drainedAt = nowMs();
  const ledgerLag = await system.ledgerLag();
  await until(async () => (await system.ledgerLag()) === 0, drainLimitMs);
  const used = difference(system.cpuMs(), cpuBefore);
  const events = load.sent.length - first;
  return {
    rate,
    seconds,
    sent: events,
    refused: load.refused - refused,
    achieved: arrivedBy(load.sent, arrivals, { first, endedAt }) / ((endedAt - startedAt) / 1000),
    outstanding,
    drainedMs: isDrained ? drainedAt - endedAt : undefined,
    ...latencies(load.sent, arrivals, first),
    cpuMs: new Map([...used].map(([name, ms]) => [name, ms / events])),
    cores: [...used.values()].reduce((sum, ms) => sum + ms, 0) / (nowMs() - startedAt),
    ledgerLag,
    ledgerMs: nowMs() - drainedAt,
  };
}

/** Deliveries of accepted webhooks that have not arrived; below 0 while the 200 of one that has arrived is still being read. */
const onTheirWay = ({ load, arrivals }: System): number => load.accepted * destinations - arrivals.delivered;

/** Deliveries that never came, of webhooks that were accepted. */
export function lostOf({ load, arrivals }: System): number {
  return load.sent.reduce(
    (lost, { acceptedMs }, n) => lost + (acceptedMs === undefined ? 0 : destinations - arrivals.reached(n)),
    0,
  );
}

function arrivedBy(
  sent: readonly Sent[],
  arrivals: Arrivals,
  { first, endedAt }: { first: number; endedAt: number },
): number {
  let count = 0;
  for (let n = first; n < sent.length; n++) {
    if ((arrivals.lastMs(n) ?? Number.POSITIVE_INFINITY) <= endedAt) count += 1;
  }
  return count;
}

function latencies(sent: readonly Sent[], arrivals: Arrivals, first: number) {
  const fromDue: number[] = [];
  const fromAccepted: number[] = [];
  for (let n = first; n < sent.length; n++) {
    const last = arrivals.lastMs(n);
    const one = sent[n];
    if (last === undefined || one?.acceptedMs === undefined) continue;
    fromDue.push(last - one.dueMs);
    // A delivery may arrive before the sender has read its 200.
    fromAccepted.push(Math.max(0, last - one.acceptedMs));
  }
  return {
    p50Ms: percentile(fromDue, 0.5),
    p99Ms: percentile(fromDue, 0.99),
    acceptedP50Ms: percentile(fromAccepted, 0.5),
    acceptedP99Ms: percentile(fromAccepted, 0.99),
  };
}

async function until(isSo: () => Promise<boolean>, limitMs: number): Promise<boolean> {
  const deadline = nowMs() + limitMs;
  while (!(await isSo())) {
    if (nowMs() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}
