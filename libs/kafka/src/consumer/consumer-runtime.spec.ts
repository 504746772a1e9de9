import { deadLetterTopicOf, defineTopic } from '@tributary/contracts';
import { InfrastructureUnavailable, type Settlement } from '@tributary/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IncomingRecord, OutgoingRecord } from '../records.js';
import { aFailure } from '../testing/failures.js';
import { silentLogger } from '../testing/silent-logger.js';
import { SimulatedBroker, SimulatedDriver } from '../testing/simulated-driver.js';
import { settled, VirtualClock } from '../testing/virtual-clock.js';
import { ConsumerRuntime } from './consumer-runtime.js';
import type { ConsumerRuntimeParts, RuntimeComponents } from './runtime-components.js';
import type { Attempt, ConsumeOptions, RuntimeObserver } from './runtime-options.js';

const main = defineTopic({ name: 'main', records: [], key: 'any', owner: 'tests', partitions: 2, purpose: 'A test.' });
const p0 = { topic: 'main', partition: 0 };
const p1 = { topic: 'main', partition: 1 };
const commit: Settlement = { to: 'commit' };
const text = (record: IncomingRecord) => String(record.value);

interface Scene {
  readonly broker: SimulatedBroker;
  readonly driver: SimulatedDriver;
  readonly clock: VirtualClock;
  readonly runtime: ConsumerRuntime;
  readonly sent: OutgoingRecord[];
  readonly fatal: Error[];
}

async function scene(
  handler: (record: IncomingRecord, attempt: Attempt) => Promise<Settlement>,
  given: {
    broker?: SimulatedBroker;
    clock?: VirtualClock;
    options?: Partial<ConsumeOptions>;
    send?: ConsumerRuntimeParts['producer']['send'];
    observer?: RuntimeObserver;
  } = {},
): Promise<Scene> {
  const { broker = new SimulatedBroker(), clock = new VirtualClock() } = given;
  const driver = new SimulatedDriver(broker);
  const sent: OutgoingRecord[] = [];
  const fatal: Error[] = [];
  const send = async (record: OutgoingRecord) => {
    sent.push(record);
    return { topic: record.topic, partition: 0, offset: 0n };
  };
  const runtime = new ConsumerRuntime({
    driver,
    producer: { send: given.send ?? send },
    topics: [main],
    options: { group: 'tests', deadLetterTopic: deadLetterTopicOf(main), ...given.options },
    handler,
    logger: silentLogger,
    clock,
    ...(given.observer && { observer: given.observer }),
    onFatal: (error) => void fatal.push(error),
  });
  await runtime.start();
  return { broker, driver, clock, runtime, sent, fatal };
}

async function assigned(parts: Scene, ...partitions: { topic: string; partition: number }[]): Promise<void> {
  await parts.driver.assign(partitions);
  await settled();
}

describe('ConsumerRuntime', () => {
  it('holds a failed lane for its delay, counts the attempt, and lets other lanes pass', async () => {
    const calls: string[] = [];
    const at = await scene(async (record, { number, firstFailureMs }) => {
      calls.push(`${text(record)}#${number}${firstFailureMs === undefined ? '' : '!'}`);
      return text(record) === 'a1' && number < 3 ? { to: 'retry', delayMs: 1_000, failure: aFailure } : commit;
    });
    for (const value of ['a1', 'a2', 'b1']) at.broker.append(p0, value.charAt(0), value);
    await assigned(at, p0);
    at.driver.fetch();
    await at.clock.advance(999);
    expect(calls).toEqual(['a1#1', 'b1#1']);
    await at.clock.advance(1);
    expect(calls).toEqual(['a1#1', 'b1#1', 'a1#2!']);
    expect(at.runtime.snapshot().heldLanes).toMatchObject([{ lane: 'a', offset: '0', attempts: 2 }]);
    await at.clock.advance(1_000);
    expect(calls.slice(3)).toEqual(['a1#3!', 'a2#1']);
    await at.clock.advance(250);
    expect(at.broker.commits.get('main:0')?.offset).toBe(3);
  });

  it('keeps a gate closed for the longest time asked, over all lanes of the scope', async () => {
    const calls: string[] = [];
    const waits: Record<string, number> = { a: 1_000, b: 3_000 };
    const at = await scene(
      async (record, { number }) => {
        calls.push(`${record.key}#${number}`);
        const closedForMs = waits[String(record.key)];
        delete waits[String(record.key)];
        return closedForMs === undefined ? commit : { to: 'gate', closedForMs, failure: aFailure };
      },
      { options: { gateScope: () => 'account' } },
    );
    for (const key of ['a', 'b', 'c']) at.broker.append(p0, key, key);
    await assigned(at, p0);
    at.driver.fetch();
    await settled();
    expect(calls.sort()).toEqual(['a#1', 'b#1', 'c#1']);
    at.broker.append(p0, 'd', 'd');
    at.driver.fetch();
    await at.clock.advance(2_999);
    expect(calls).toHaveLength(3);
    await at.clock.advance(1);
    expect(calls.slice(3).sort()).toEqual(['a#1', 'b#1', 'd#1']);
  });

  it('puts a record back when infrastructure fails, longer each time up to 30 s, for ever', async () => {
    const times: number[] = [];
    const clock = new VirtualClock(0);
    const at = await scene(
      async (_, { number }) => {
        times.push(clock.now());
        expect(number).toBe(1);
        throw new InfrastructureUnavailable('the database');
      },
      { clock },
    );
    at.broker.append(p0, 'a', 'a');
    await assigned(at, p0);
    at.driver.fetch();
    await at.clock.advance(200_000);
    const waits = times.slice(1).map((time, i) => time - (times[i] as number));
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000]);
    expect(at.sent).toEqual([]);
  });

  it('waits with the whole lane until a dead letter is acknowledged, then tells, then commits', async () => {
    const steps: string[] = [];
    let tries = 0;
    const at = await scene(
      async (record) => {
        steps.push(`attempt ${text(record)}`);
        return text(record) === 'bad'
          ? { to: 'deadLetter', failure: { errorClass: 'rejected', reason: 'no' } }
          : commit;
      },
      {
        send: async (record) => {
          tries += 1;
          steps.push(`send ${record.headers?.['x-retry-attempt']}`);
          if (tries < 3) throw new InfrastructureUnavailable('Kafka');
          return { topic: record.topic, partition: 0, offset: 0n };
        },
        options: { onDeadLetter: async () => void steps.push('told') },
      },
    );
    at.broker.append(p0, 'a', 'bad');
    at.broker.append(p0, 'a', 'next');
    await assigned(at, p0);
    at.driver.fetch();
    await at.clock.advance(1_500);
    expect(steps).toEqual(['attempt bad', 'send 1', 'send 1']);
    expect(at.broker.commits.get('main:0')?.offset ?? 0).toBe(0);
    await at.clock.advance(2_000);
    expect(steps.slice(3)).toEqual(['send 1', 'told', 'attempt next']);
  });

  it.each([
    ['undefined', undefined],
    ['an unknown settlement', { to: 'celebrate' }],
  ])('takes %s from a handler for a mistake', async (_, answer) => {
    const at = await scene(async () => answer as unknown as Settlement);
    at.broker.append(p0, 'a', 'a');
    await assigned(at, p0);
    at.driver.fetch();
    await settled();
    expect(at.sent[0]?.headers).toMatchObject({ 'x-error-class': 'invalid', 'x-error-code': 'TypeError' });
  });

  it('survives a lane function and a scope function that throw', async () => {
    const broken = () => {
      throw new TypeError('no');
    };
    const seen: string[] = [];
    const at = await scene(
      async (record) => {
        seen.push(text(record));
        return seen.length === 1 ? { to: 'gate', closedForMs: 10, failure: aFailure } : commit;
      },
      { options: { lane: broken, gateScope: broken } },
    );
    at.broker.append(p0, 'a', 'a');
    await assigned(at, p0);
    at.driver.fetch();
    await at.clock.advance(10);
    expect(seen).toEqual(['a', 'a']);
    expect(at.fatal).toEqual([]);
  });

  it('keeps records without a key in order, and runs all at once when no order is asked for', async () => {
    for (const [ordering, expected] of [
      ['key', 1],
      ['none', 3],
    ] as const) {
      let inFlight = 0;
      let most = 0;
      const at = await scene(
        async () => {
          inFlight += 1;
          most = Math.max(most, inFlight);
          await settled();
          inFlight -= 1;
          return commit;
        },
        { options: { ordering } },
      );
      for (const value of ['1', '2', '3']) at.broker.append(p0, null, value);
      await assigned(at, p0);
      at.driver.fetch();
      for (let i = 0; i < 10; i++) await settled();
      await at.clock.advance(250);
      expect(most).toBe(expected);
      expect(at.broker.commits.get('main:0')?.offset).toBe(3);
    }
  });

  it('takes lanes and partitions in turn', async () => {
    const seen: string[] = [];
    const at = await scene(
      async (record) => {
        seen.push(text(record));
        return commit;
      },
      { options: { concurrency: 1 } },
    );
    for (let i = 0; i < 3; i++) for (const key of ['a', 'b']) at.broker.append(p0, key, `0${key}${i}`);
    for (let i = 0; i < 2; i++) at.broker.append(p1, 'c', `1c${i}`);
    await assigned(at, p0, p1);
    at.runtime.suspendScope('never-used');
    await at.driver.assign([p0, p1], true);
    at.driver.fetch();
    for (let i = 0; i < 20; i++) await settled();
    expect(seen.indexOf('1c1')).toBeLessThan(seen.indexOf('0b2'));
    expect(seen.filter((value) => value.startsWith('0a'))).toEqual(['0a0', '0a1', '0a2']);
  });

  it('stops fetching a full partition and goes on at half', async () => {
    const open: (() => void)[] = [];
    const at = await scene(() => new Promise<Settlement>((resolve) => open.push(() => resolve(commit))), {
      options: { maxWindowRecords: 10, concurrency: 100 },
    });
    for (let i = 0; i < 30; i++) at.broker.append(p0, `k${i}`, String(i));
    await assigned(at, p0);
    at.driver.fetch(10);
    expect(at.runtime.snapshot().pauses).toMatchObject([{ topic: 'main', partition: 0, reason: 'window' }]);
    expect(at.driver.fetch(10)).toBe(0);
    for (const finish of open.splice(0, 4)) finish();
    await settled();
    expect(at.driver.paused.size).toBe(1);
    for (const finish of open.splice(0, 1)) finish();
    await settled();
    expect(at.driver.paused.size).toBe(0);
    expect(at.driver.fetch(10)).toBe(10);
  });

  it('repeats a failed commit, in one request for all partitions, with a map each', async () => {
    const at = await scene(async () => commit);
    for (const p of [p0, p1]) at.broker.append(p, 'a', 'a');
    await assigned(at, p0, p1);
    at.driver.commitFailure = new Error('REBALANCE_IN_PROGRESS');
    at.driver.fetch();
    await at.clock.advance(3_000);
    expect(at.broker.commits.size).toBe(0);
    at.driver.commitFailure = undefined;
    await at.clock.advance(3_000);
    expect(at.driver.commitRequests).toEqual([
      [
        { ...p0, offset: 1, metadata: 'AQA=' },
        { ...p1, offset: 1, metadata: 'AQA=' },
      ],
    ]);
  });

  it('aborts what is in flight on a lost partition, ignores its result, and keeps an unbroken one', async () => {
    const aborted: string[] = [];
    const finish: Record<string, () => void> = {};
    const at = await scene((record, { signal }) => {
      signal.addEventListener('abort', () => aborted.push(text(record)));
      return new Promise<Settlement>((resolve) => {
        finish[text(record)] = () => resolve(commit);
      });
    });
    at.broker.append(p0, 'a', 'zero');
    at.broker.append(p1, 'a', 'one');
    await assigned(at, p0, p1);
    at.driver.fetch();
    const joining = at.driver.assign([p0], true);
    await at.clock.advance(5_000);
    await joining;
    expect(aborted).toEqual(['one']);
    finish.one?.();
    finish.zero?.();
    await at.clock.advance(1_000);
    expect(at.broker.commits.get('main:0')?.offset).toBe(1);
    expect(at.broker.commits.get('main:1')?.offset ?? 0).toBe(0);
    expect(at.runtime.snapshot()).toMatchObject({ running: 0, partitions: [{ partition: 0, inFlight: 0 }] });
  });

  it('drops a partition it kept when a generation was missed, and starts from what is committed', async () => {
    const seen: string[] = [];
    const at = await scene(async (record) => {
      seen.push(text(record));
      return text(record) === 'held' ? { to: 'retry', delayMs: 1e9, failure: aFailure } : commit;
    });
    for (const value of ['held', 'done']) at.broker.append(p0, value, value);
    await assigned(at, p0);
    at.driver.fetch();
    await at.clock.advance(250);
    await at.driver.assign([p0], false);
    await settled();
    at.driver.fetch();
    await settled();
    expect(seen).toEqual(['held', 'done', 'held']);
  });

  it('does not start anything while it drains for a rejoin, and commits the drained state', async () => {
    let begun = 0;
    let release = () => {};
    const at = await scene(
      () => {
        begun += 1;
        return new Promise<Settlement>((resolve) => {
          release = () => resolve(commit);
        });
      },
      { options: { concurrency: 1 } },
    );
    for (const key of ['a', 'b']) at.broker.append(p0, key, key);
    await assigned(at, p0);
    at.driver.fetch();
    let begunAtLastCommit = -1;
    const commitAsBefore = at.driver.commit.bind(at.driver);
    at.driver.commit = async (offsets) => {
      begunAtLastCommit = begun;
      await commitAsBefore(offsets);
    };
    const joining = at.driver.assign([p0], true);
    release();
    await joining;
    expect(begunAtLastCommit).toBe(1);
    expect(at.broker.commits.get('main:0')).toEqual({ offset: 1, metadata: 'AQE=' });
    expect(begun).toBe(2);
  });

  it('leaves waiting records uncommitted when it stops, and aborts what does not end in time', async () => {
    const at = await scene((record, { signal }) => {
      if (text(record) === 'quick') return Promise.resolve(commit);
      if (text(record) === 'held') return Promise.resolve({ to: 'retry', delayMs: 60_000, failure: aFailure });
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    for (const value of ['quick', 'held', 'stuck']) at.broker.append(p0, value, value);
    await assigned(at, p0);
    at.driver.fetch();
    const stopping = at.runtime.stop({ deadlineMs: 2_000 });
    await at.clock.advance(2_000);
    await stopping;
    expect(at.runtime.state).toBe('stopped');
    expect(at.broker.commits.get('main:0')).toEqual({ offset: 1, metadata: 'AQE=' });
    expect(at.sent).toEqual([]);
  });

  it('starts nothing when the group may have given the partition away, and goes on after the next heartbeat', async () => {
    const calls: string[] = [];
    const at = await scene(async (record) => {
      calls.push(text(record));
      return text(record) === 'a0' ? { to: 'retry', delayMs: 9_000, failure: aFailure } : commit;
    });
    at.driver.sessionEnds = at.clock.now() + 9_000;
    for (const value of ['a0', 'b0']) at.broker.append(p0, value.charAt(0), value);
    await assigned(at, p0);
    at.driver.fetch();
    await settled();
    expect(calls).toEqual(['a0', 'b0']);
    at.broker.append(p0, 'c', 'c0');
    await at.clock.advance(9_000);
    at.driver.fetch();
    await at.clock.advance(20_000);
    expect(calls).toEqual(['a0', 'b0']);
    at.driver.heartbeat(at.clock.now() + 9_000);
    await settled();
    expect(calls.slice(2).sort()).toEqual(['a0', 'c0']);
  });

  it('does not count the time behind a closed gate as time of trying', async () => {
    const tried: (number | undefined)[] = [];
    const at = await scene(async (_, { number, firstFailureMs }) => {
      tried.push(firstFailureMs);
      if (number === 1) return { to: 'retry', delayMs: 1_000, failure: aFailure };
      return tried.length === 2 ? { to: 'gate', closedForMs: 500_000, failure: aFailure } : commit;
    });
    at.broker.append(p0, 'a', 'a0');
    await assigned(at, p0);
    at.driver.fetch();
    await at.clock.advance(600_000);
    expect(tried).toEqual([undefined, 1_000_000, 1_500_000]);
  });

  it('ends and counts a pause without a living reason, and leaves the others', async () => {
    const ended: unknown[] = [];
    const at = await scene(async () => new Promise(() => {}), {
      options: { maxWindowRecords: 2 },
      observer: { pauseEnded: (facts) => void ended.push(facts) },
    });
    for (let i = 0; i < 4; i++) at.broker.append(p0, String(i), String(i));
    await assigned(at, p0, p1);
    at.driver.fetch(2);
    const { pauses } = (at.runtime as unknown as { components: RuntimeComponents }).components;
    pauses.add(p1, 'window');
    pauses.add(p0, 'loading');
    expect([...at.driver.paused].sort()).toEqual(['main:0', 'main:1']);
    await at.clock.advance(10_000);
    expect([...at.driver.paused]).toEqual(['main:0']);
    expect(at.runtime.snapshot().pauses).toMatchObject([{ partition: 0, reason: 'window' }]);
    expect(ended).toHaveLength(2);
    expect(ended).toEqual(
      expect.arrayContaining([
        { group: 'tests', topic: 'main', partition: 0, reason: 'loading' },
        { group: 'tests', topic: 'main', partition: 1, reason: 'window' },
      ]),
    );
    await at.clock.advance(20_000);
    expect(ended).toHaveLength(2);
  });

  it('passes every record once its turn comes and none before its elders, whatever happens in between', async () => {
    const action = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('append' as const),
          key: fc.integer({ min: 0, max: 4 }),
          partition: fc.integer({ min: 0, max: 1 }),
          gap: fc.integer({ min: 0, max: 2 }),
        }),
      },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('fetch' as const), max: fc.integer({ min: 1, max: 5 }) }) },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 2_000 }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('rebalance' as const),
          keepOne: fc.boolean(),
          isUnbroken: fc.boolean(),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('commits-fail' as const), until: fc.boolean() }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 10, maxLength: 80 }),
        fc.infiniteStream(fc.nat(9)),
        async (actions, dice) => {
          const broker = new SimulatedBroker();
          const clock = new VirtualClock();
          const first: Map<string, number[]> = new Map();
          const settledOnce = new Set<string>();
          const dueAt = new Map<string, number>();
          let early = 0;
          let overtaken = 0;
          const appended: { lane: string; id: string; offset: number }[] = [];
          const handler = async (record: IncomingRecord): Promise<Settlement> => {
            const lane = `${record.partition}:${record.key}`;
            const id = `${record.partition}:${record.offset}`;
            if ((dueAt.get(id) ?? 0) > clock.now()) early += 1;
            const elders = appended.filter((other) => other.lane === lane && other.offset < Number(record.offset));
            if (elders.some((other) => !settledOnce.has(other.id))) overtaken += 1;
            const roll = dice.next().value as number;
            if (roll === 0) {
              dueAt.set(id, clock.now() + 700);
              return { to: 'retry', delayMs: 700, failure: aFailure };
            }
            if (roll === 1) return { to: 'gate', closedForMs: 500, failure: aFailure };
            if (roll === 2) throw new InfrastructureUnavailable('something');
            if (roll === 3) {
              settledOnce.add(id);
              return { to: 'deadLetter', failure: aFailure };
            }
            settledOnce.add(id);
            first.set(lane, [...(first.get(lane) ?? []), Number(record.offset)]);
            return commit;
          };
          let at = await scene(handler, { broker, clock, options: { concurrency: 3, maxWindowRecords: 6 } });
          await assigned(at, p0, p1);
          for (const step of actions) {
            if (step.kind === 'append') {
              const offset = broker.append({ topic: 'main', partition: step.partition }, `k${step.key}`, 'x', step.gap);
              appended.push({ lane: `${step.partition}:k${step.key}`, id: `${step.partition}:${offset}`, offset });
            } else if (step.kind === 'fetch') {
              at.driver.fetch(step.max);
              await settled();
            } else if (step.kind === 'advance') await clock.advance(step.ms);
            else if (step.kind === 'commits-fail') at.driver.commitFailure = step.until ? new Error('no') : undefined;
            else if (step.kind === 'rebalance') {
              const joining = at.driver.assign(step.keepOne ? [p0] : [p0, p1], step.isUnbroken);
              await clock.advance(8_000);
              await joining;
              dueAt.clear();
            } else {
              // The process is gone without a word; another takes its place.
              await at.driver.stop();
              at.driver.commitFailure = new Error('gone');
              at.runtime.onAssigned({ partitions: [], isUnbroken: false });
              dueAt.clear();
              at = await scene(handler, { broker, clock, options: { concurrency: 3, maxWindowRecords: 6 } });
              await assigned(at, p0, p1);
            }
          }
          at.driver.commitFailure = undefined;
          const joining = at.driver.assign([p0, p1], true);
          await clock.advance(8_000);
          await joining;
          const isDone = () =>
            settledOnce.size === appended.length &&
            [...broker.logs].every(
              ([name, log]) => broker.commits.get(name)?.offset === Number(log.at(-1)?.offset) + 1,
            );
          for (let i = 0; i < 500 && !isDone(); i++) {
            at.driver.fetch(10);
            await clock.advance(1_000);
          }
          expect(settledOnce.size).toBe(appended.length);
          expect(overtaken).toBe(0);
          expect(early).toBe(0);
          for (const p of [p0, p1]) {
            const log = broker.logs.get(`main:${p.partition}`);
            if (log) expect(broker.commits.get(`main:${p.partition}`)?.offset).toBe(Number(log.at(-1)?.offset) + 1);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
