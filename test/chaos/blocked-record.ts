import { setTimeout as sleep } from 'node:timers/promises';
import { topicFamilies } from '@tributary/contracts';
import { order } from '../../tools/start/demo.js';
import type { Environment } from '../../tools/start/environment.js';
import type { ConnectorFleet } from './connector-fleet.js';
import type { DeliveryLoad } from './delivery-load.js';

export interface BlockedResult {
  /** Records that were done above the blocked one when the process was killed. */
  readonly doneAboveBlocked: number;
  /** Those of them that were sent again. */
  readonly repeatedAfterKill: number;
  /** What arrives in one commit interval at that rate. */
  readonly perCommitInterval: number;
}

interface BlockedCase {
  readonly environment: Environment;
  readonly fleet: ConnectorFleet;
  readonly load: DeliveryLoad;
  readonly records: number;
  /** What took effect so far, and how often something came again. */
  readonly summary: () => Promise<{ readonly effects: number; readonly repeats: number }>;
  readonly say: (line: string) => void;
}

const commitIntervalMs = 250;
const waitMs = 180_000;
/** Longer than an attempt: the record stays where it is, time-out after time-out. */
const blockedLatencyMs = 110_000;
/** So much of them is done when the process is killed. */
const share = 0.95;

/** One record is never answered while many complete above it in its partition; then its owner is killed with -9. */
export async function blockedAndKilled(parts: BlockedCase): Promise<BlockedResult> {
  const { environment, fleet, load, records, summary, say } = parts;
  const before = await summary();
  await order(environment, 'PUT', '/faults/blocked', { latencyMs: blockedLatencyMs });
  const place = await load.send('blocked', 'key-0');
  await load.acknowledged();
  if (!place) throw new Error('the record that is to be blocked was not written');
  say(`blocked: one record gets no answer, ${records} follow in its partition`);
  const startedAtMs = Date.now();
  for (let n = 0; n < records; n++) {
    void load.send('beside', `key-${n % 200}`, place.partition);
    if (n % 1_000 === 0) await load.acknowledged();
  }
  await load.acknowledged();
  await until(async () => (await summary()).effects - before.effects >= records * share, 'most of them to be done');
  const perSecond = (records * share * 1000) / (Date.now() - startedAtMs);
  const owner = await fleet.ownerOf(topicFamilies.delivery('http').name, place.partition);
  if (!owner) throw new Error(`nobody owns partition ${place.partition}`);
  await fleet.kill(owner);
  const atKill = await summary();
  say(`blocked: ${owner} was killed with -9 when ${atKill.effects - before.effects} were done`);
  await order(environment, 'PUT', '/faults/blocked', {});
  await fleet.start(owner);
  await until(async () => (await summary()).effects >= load.total, 'everything to arrive');
  return {
    doneAboveBlocked: atKill.effects - before.effects,
    repeatedAfterKill: (await summary()).repeats - atKill.repeats,
    perCommitInterval: Math.round((perSecond * commitIntervalMs) / 1000),
  };
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = Date.now() + waitMs;
  while (!(await holds())) {
    if (Date.now() > deadlineMs) throw new Error(`waited ${waitMs} ms for ${what}`);
    await sleep(50);
  }
}
