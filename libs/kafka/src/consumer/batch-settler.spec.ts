import { deadLetterTopicOf, defineTopic, retryTopicOf } from '@tributary/contracts';
import { type Failure, InfrastructureUnavailable } from '@tributary/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IncomingRecord, OutgoingRecord } from '../records.js';
import { aFailure } from '../testing/failures.js';
import { silentLogger } from '../testing/silent-logger.js';
import { SimulatedBroker, SimulatedDriver } from '../testing/simulated-driver.js';
import { settled, VirtualClock } from '../testing/virtual-clock.js';
import { ConsumerRuntime } from './consumer-runtime.js';
import type { AttemptedFacts, BatchHandler, ConsumeOptions } from './runtime-options.js';

const main = defineTopic({ name: 'main', records: [], key: 'any', owner: 'tests', partitions: 2, purpose: 'A test.' });
const p0 = { topic: 'main', partition: 0 };
const p1 = { topic: 'main', partition: 1 };
const values = (records: readonly IncomingRecord[]) => records.map(({ value }) => String(value));
const none: ReadonlyMap<number, Failure> = new Map();

interface Given {
  readonly options?: Partial<ConsumeOptions>;
  readonly send?: (record: OutgoingRecord) => Promise<void>;
}

function runtimeOf(driver: SimulatedDriver, clock: VirtualClock, handler: BatchHandler, given: Given) {
  const dead: string[] = [];
  const attempts: AttemptedFacts[] = [];
  const runtime = new ConsumerRuntime({
    driver,
    producer: {
      send: async (record) => {
        await given.send?.(record);
        dead.push(String(record.value));
        return { topic: record.topic, partition: 0, offset: 0n };
      },
    },
    topics: [main],
    options: { group: 'tests', ordering: 'none', deadLetterTopic: deadLetterTopicOf(main), ...given.options },
    handler: { ofBatches: handler },
    logger: silentLogger,
    clock,
    observer: { attempted: (facts) => void attempts.push(facts) },
  });
  return { runtime, dead, attempts };
}

async function scene(handler: BatchHandler, records: number, given: Given = {}) {
  const clock = new VirtualClock();
  const broker = new SimulatedBroker();
  const driver = new SimulatedDriver(broker);
  const parts = runtimeOf(driver, clock, handler, given);
  await parts.runtime.start();
  for (let i = 0; i < records; i++) broker.append(p0, 'k', `v${i}`);
  await driver.assign([p0]);
  await settled();
  driver.fetch();
  await settled();
  const committed = async () => {
    await clock.advance(1_000);
    return broker.commits.get('main:0')?.offset;
  };
  return { ...parts, clock, broker, driver, committed };
}

describe('a handler of batches', () => {
  it('is given what was fetched together, cut to the largest batch, and all of it is committed', async () => {
    const calls: string[][] = [];
    const at = await scene(
      async (records) => {
        calls.push(values(records));
        return none;
      },
      5,
      { options: { batches: { maxRecords: 2 } } },
    );
    expect(calls).toEqual([['v0', 'v1'], ['v2', 'v3'], ['v4']]);
    expect(await at.committed()).toBe(5);
    expect(at.attempts.map(({ records, settlement }) => [records, settlement])).toEqual([
      [2, 'commit'],
      [2, 'commit'],
      [1, 'commit'],
    ]);
  });

  it('never has its batches committed before it has answered for them, whatever order it answers in', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }), async (order) => {
        const answers = Array.from({ length: 5 }, () => Promise.withResolvers<typeof none>());
        let calls = 0;
        const at = await scene(() => answers[calls++]?.promise ?? Promise.resolve(none), 15, {
          options: { batches: { maxRecords: 3 } },
        });
        const done = new Set<number>();
        for (const batch of order) {
          answers[batch]?.resolve(none);
          done.add(batch);
          const first = [0, 1, 2, 3, 4].find((one) => !done.has(one)) ?? 5;
          expect((await at.committed()) ?? 0).toBe(first * 3);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('buries the records that it names, and nothing is committed before they are safe', async () => {
    const safe = Promise.withResolvers<void>();
    const at = await scene(async () => new Map([[1, aFailure]]), 3, { send: () => safe.promise });
    expect((await at.committed()) ?? 0).toBe(0);
    safe.resolve();
    await settled();
    expect(await at.committed()).toBe(3);
    expect(at.dead).toEqual(['v1']);
  });

  it('has all of it again, later, when what it needs does not answer', async () => {
    const calls: string[][] = [];
    const at = await scene(async (records) => {
      calls.push(values(records));
      if (calls.length < 3) throw new InfrastructureUnavailable('PostgreSQL', new Error('away'));
      return none;
    }, 2);
    await at.clock.advance(999);
    expect(calls).toHaveLength(1);
    await at.clock.advance(1 + 2_000);
    expect(calls).toEqual([
      ['v0', 'v1'],
      ['v0', 'v1'],
      ['v0', 'v1'],
    ]);
    expect(await at.committed()).toBe(2);
    expect(at.dead).toEqual([]);
  });

  it('has each record alone after a mistake, which costs no record but its own', async () => {
    const calls: string[][] = [];
    const at = await scene(async (records) => {
      calls.push(values(records));
      if (values(records).includes('v1')) throw new TypeError('cannot read');
      return none;
    }, 4);
    expect(calls).toEqual([['v0', 'v1', 'v2', 'v3'], ['v0'], ['v1'], ['v2'], ['v3']]);
    expect(at.dead).toEqual(['v1']);
    expect(await at.committed()).toBe(4);
    expect(at.runtime.snapshot().partitions[0]).toMatchObject({ windowRecords: 0, windowBytes: 0, inFlight: 0 });
  });

  it('is not believed about a partition that was lost meanwhile', async () => {
    const answer = Promise.withResolvers<typeof none>();
    let signal: AbortSignal | undefined;
    const at = await scene((_, attempt) => {
      signal = attempt.signal;
      return answer.promise;
    }, 3);
    const rejoined = at.driver.assign([p1]);
    // A rejoin waits for what is in flight, but not for ever.
    await at.clock.advance(6_000);
    await rejoined;
    expect(signal?.aborted).toBe(true);
    answer.resolve(new Map([[0, aFailure]]));
    await settled();
    expect(at.dead).toEqual([]);
    expect((await at.committed()) ?? 0).toBe(0);
    expect(at.runtime.snapshot().running).toBe(0);
  });

  it.each<[string, Partial<ConsumeOptions>]>([
    ['an order', { ordering: 'key' }],
    ['a lane', { lane: () => 'a' }],
    ['a scope of gates', { gateScope: () => 'a' }],
    ['a retry topic', { retries: { topic: retryTopicOf(main) } }],
  ])('cannot have %s', (_, options) => {
    const driver = new SimulatedDriver(new SimulatedBroker());
    expect(() => runtimeOf(driver, new VirtualClock(), async () => none, { options })).toThrow(
      /^group tests takes records in batches, so it says ordering: 'none' and nothing of /,
    );
  });
});
