import type { Settlement } from '@tributary/domain';
import { describe, expect, it } from 'vitest';
import { sleep } from '../connection/clock.js';
import type { IncomingRecord } from '../records.js';
import { places } from '../testing/places.js';
import { main, p, r, retry, scene } from '../testing/retry-scene.js';
import { SimulatedBroker } from '../testing/simulated-driver.js';
import { settled, VirtualClock } from '../testing/virtual-clock.js';
import type { Attempt } from './runtime-options.js';

const accountOf = (record: IncomingRecord) => record.headers['x-connection-id'] ?? '';

interface Delivered {
  readonly value: string;
  readonly waitedMs: number;
  readonly attempt: number;
}

/** One partition in which `slow` has two places of 2 s each, and a record of `fast` comes every 20 ms. */
async function crowd({
  slowKeys,
  slowRecords,
  fastRecords,
}: Readonly<Record<'slowKeys' | 'slowRecords' | 'fastRecords', number>>) {
  const clock = new VirtualClock();
  const broker = new SimulatedBroker();
  const arrived = new Map<string, number>();
  const delivered: Delivered[] = [];
  const handler = async (record: IncomingRecord, { number }: Attempt): Promise<Settlement> => {
    await sleep(clock, accountOf(record) === 'slow' ? 2_000 : 20);
    const value = String(record.value);
    delivered.push({ value, waitedMs: clock.now() - (arrived.get(value) ?? 0), attempt: number });
    return { to: 'commit' };
  };
  const at = await scene(
    handler,
    { gatePolicy: places(2), concurrency: 8, retries: { topic: retry } },
    { broker, clock },
  );
  const append = (account: string, key: string, value: string) => {
    arrived.set(value, clock.now());
    broker.append(p, key, value, 0, { 'x-connection-id': account });
  };
  await at.driver.assign([p, r]);
  await settled();
  for (let i = 0; i < slowRecords; i++) append('slow', `s${i % slowKeys}`, `slow-${i % slowKeys}-${i}`);
  for (let i = 0; i < fastRecords; i++) {
    append('fast', `f${i % 10}`, `fast-${i % 10}-${i}`);
    at.driver.fetch(500);
    await clock.advance(20);
  }
  return { at, clock, delivered };
}

function p95Of(delivered: readonly Delivered[], account: string): number {
  const waits = delivered.filter(({ value }) => value.startsWith(account)).map(({ waitedMs }) => waitedMs);
  return waits.toSorted((a, b) => a - b)[Math.floor(waits.length * 0.95)] ?? Number.POSITIVE_INFINITY;
}

function inversionsIn(delivered: readonly Delivered[]): number {
  const newest = new Map<string, number>();
  let inversions = 0;
  for (const { value } of delivered) {
    const [account, key, index] = value.split('-');
    const lane = `${account}-${key}`;
    if ((newest.get(lane) ?? -1) > Number(index)) inversions += 1;
    newest.set(lane, Number(index));
  }
  return inversions;
}

describe('an account whose places are all taken', () => {
  it('does not fill the window for the others in its partition', async () => {
    const alone = await crowd({ slowKeys: 1, slowRecords: 0, fastRecords: 1_500 });
    const beside = await crowd({ slowKeys: 1_500, slowRecords: 4_000, fastRecords: 1_500 });
    expect(p95Of(beside.delivered, 'fast')).toBeLessThanOrEqual(p95Of(alone.delivered, 'fast') + 40);
    const slow = beside.delivered.filter(({ value }) => value.startsWith('slow'));
    // Its places are always taken: a second brings one.
    expect(slow.length).toBeGreaterThanOrEqual(27);
    expect(inversionsIn(beside.delivered)).toBe(0);
  });

  it('gets all its own delivered, in order, once, without an attempt charged', async () => {
    const { at, clock, delivered } = await crowd({ slowKeys: 150, slowRecords: 2_400, fastRecords: 100 });
    expect(at.runtime.snapshot().parked[0]?.records).toBeGreaterThan(500);
    for (let i = 0; i < 3_000 && delivered.length < 2_500; i++) {
      at.driver.fetch(500);
      await clock.advance(1_000);
    }
    expect(delivered).toHaveLength(2_500);
    expect(new Set(delivered.map(({ value }) => value)).size).toBe(2_500);
    expect(inversionsIn(delivered)).toBe(0);
    expect(delivered.filter(({ attempt }) => attempt > 1)).toEqual([]);
    // Two places of 2 s: no place stood empty for long.
    expect(clock.now() - 1_000_000).toBeLessThan(2_400 * 1_000 * 1.1);
  });

  it('is not parked when its places become free soon enough, however full the window is', async () => {
    const clock = new VirtualClock();
    const broker = new SimulatedBroker();
    let delivered = 0;
    const handler = async (): Promise<Settlement> => {
      await sleep(clock, 20);
      delivered += 1;
      return { to: 'commit' };
    };
    const at = await scene(
      handler,
      { gatePolicy: places(8), concurrency: 16, retries: { topic: retry } },
      { broker, clock },
    );
    for (let i = 0; i < 6_000; i++) broker.append(p, `k${i}`, String(i), 0, { 'x-connection-id': 'bulk' });
    await at.driver.assign([p, r]);
    await settled();
    for (let i = 0; i < 2_000 && delivered < 6_000; i++) {
      at.driver.fetch(1_000);
      await clock.advance(20);
    }
    expect(delivered).toBe(6_000);
    expect(broker.logs.get(`${main.name}.retry:0`)).toBeUndefined();
  });
});
