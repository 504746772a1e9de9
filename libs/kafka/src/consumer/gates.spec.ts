import { deadLetterTopicOf, defineTopic, deliveryHeaders, retryTopicOf } from '@tributary/contracts';
import type { Settlement } from '@tributary/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IncomingRecord, OutgoingRecord } from '../records.js';
import { aFailure } from '../testing/failures.js';
import { silentLogger } from '../testing/silent-logger.js';
import { SimulatedBroker, SimulatedDriver } from '../testing/simulated-driver.js';
import { settled, VirtualClock } from '../testing/virtual-clock.js';
import { ConsumerRuntime } from './consumer-runtime.js';
import type { GateOrder, GatePolicy } from './policy-gates.js';
import type { ConsumeOptions } from './runtime-options.js';
import { concerns, rootOf, rootScope, scopeWithin } from './scopes.js';

const main = defineTopic({ name: 'main', records: [], key: 'any', owner: 'tests', partitions: 1, purpose: 'A test.' });
const retry = retryTopicOf(main);
const p = { topic: 'main', partition: 0 };
const r = { topic: retry.name, partition: 0 };
const keyOf = (record: IncomingRecord) => String(record.key);

/** Keys are `account` or `account/part`. */
function scopeOf(record: IncomingRecord): string {
  const [account = '', part] = keyOf(record).split('/');
  return part === undefined ? account : scopeWithin(account, part);
}

type Handler = (record: IncomingRecord) => Promise<Settlement>;

async function scene(handler: Handler, options: Partial<ConsumeOptions> = {}) {
  const broker = new SimulatedBroker();
  const clock = new VirtualClock(0);
  const driver = new SimulatedDriver(broker);
  const calls: Array<readonly [atMs: number, key: string]> = [];
  const send = async (record: OutgoingRecord) => {
    const at = { topic: record.topic, partition: 0 };
    const offset = broker.append(at, String(record.key), String(record.value), 0, { ...record.headers });
    return { ...at, offset: BigInt(offset) };
  };
  const runtime = new ConsumerRuntime({
    driver,
    producer: { send },
    topics: options.retries ? [main, retry] : [main],
    options: { group: 'tests', deadLetterTopic: deadLetterTopicOf(main), gateScope: scopeOf, ...options },
    handler: (record) => {
      calls.push([clock.now(), keyOf(record)]);
      return handler(record);
    },
    logger: silentLogger,
    clock,
  });
  await runtime.start();
  await driver.assign(options.retries ? [p, r] : [p]);
  await settled();
  const append = (...keys: string[]) => {
    for (const key of keys) broker.append(p, key, key, 0, { [deliveryHeaders.connectionId]: key });
    driver.fetch();
  };
  const advance = async (ms: number) => {
    for (let left = ms; left > 0; left -= 250) {
      driver.fetch();
      await clock.advance(Math.min(250, left));
    }
  };
  const since = (fromMs: number) => calls.filter(([atMs]) => atMs >= fromMs).map(([, key]) => key);
  return { broker, clock, driver, runtime, calls, append, advance, since };
}

const commit: Settlement = { to: 'commit' };
const gate = (closedForMs: number): Settlement => ({ to: 'gate', closedForMs, failure: aFailure });
const suspend: Settlement = { to: 'suspend', failure: aFailure };

describe('scopes', () => {
  it.each([
    ['a', 'a', true],
    ['a', 'a/x', true],
    ['a/x', 'a', true],
    ['a/x', 'a/x', true],
    ['a/x', 'a/y', false],
    ['a', 'b', false],
    ['a', 'ab/x', false],
  ])('a gate of %s concerns %s: %s', (one, other, expected) => {
    const named = (text: string) => scopeWithin(...(text.split('/') as [string, string])).replace(/›undefined$/, '');
    expect(concerns(named(one), named(other))).toBe(expected);
  });

  it('have the root that they were made with, whatever the part and the text is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (root, part) => {
        expect(rootOf(scopeWithin(rootScope(root), part))).toBe(rootScope(root));
        expect(rootOf(rootScope(`${root}›${part}`))).toBe(rootScope(`${root}›${part}`));
      }),
    );
  });
});

describe('a gate', () => {
  it('closes its part of an account and those who may mean that part, and nobody else', async () => {
    let isThrottled = true;
    const at = await scene(async (record) => (keyOf(record) === 'a/x' && isThrottled ? gate(5_000) : commit));
    at.append('a/x');
    await settled();
    isThrottled = false;
    at.append('a/x', 'a/y', 'a', 'b');
    await at.advance(4_999);
    expect(at.since(0)).toEqual(['a/x', 'a/y', 'b']);
    expect(at.runtime.snapshot().gates).toMatchObject([{ scope: 'a›x', kind: 'closed', waitingLanes: 2 }]);
    await at.advance(1);
    expect(at.since(5_000).sort()).toEqual(['a', 'a/x', 'a/x']);
  });

  it('of a whole account closes all of its parts', async () => {
    let isThrottled = true;
    const at = await scene(async (record) => (keyOf(record) === 'a' && isThrottled ? gate(5_000) : commit));
    at.append('a');
    await settled();
    isThrottled = false;
    at.append('a/x', 'a', 'b/x');
    await at.advance(4_999);
    expect(at.since(0)).toEqual(['a', 'b/x']);
    await at.advance(1);
    expect(at.since(5_000).sort()).toEqual(['a', 'a', 'a/x']);
  });

  it('that suspends is that of the whole account, whichever part was refused', async () => {
    let isRefused = true;
    const at = await scene(async (record) => (keyOf(record) === 'a/x' && isRefused ? suspend : commit));
    at.append('a/x');
    await settled();
    isRefused = false;
    at.append('a/y', 'b');
    await at.advance(100_000);
    expect(at.since(0)).toEqual(['a/x', 'b']);
    expect(at.runtime.resumeScope('b')).toBe(false);
    expect(at.runtime.resumeScope('a')).toBe(true);
    await settled();
    expect(at.since(100_000).sort()).toEqual(['a/x', 'a/y']);
  });

  it('is not opened early by the end of a suspension, nor by a resume without one', async () => {
    const answers = [gate(60_000), suspend];
    const at = await scene(async () => answers.shift() ?? commit, { concurrency: 2 });
    at.append('a/1', 'a/2');
    await settled();
    expect(at.runtime.resumeScope('a')).toBe(true);
    expect(at.runtime.resumeScope('a')).toBe(false);
    await at.advance(59_999);
    expect(at.since(0)).toEqual(['a/1', 'a/2', 'a/2']);
    await at.advance(1);
    expect(at.since(60_000)).toEqual(['a/1']);
  });

  it('of the same scope keeps to the pause when it was suspended and resumed meanwhile', async () => {
    const answers = [gate(60_000), suspend];
    const at = await scene(async () => answers.shift() ?? commit, {
      gateScope: () => 'a',
      lane: (record) => keyOf(record),
    });
    at.append('1', '2', '3');
    await settled();
    await at.advance(1_000);
    expect(at.runtime.resumeScope('a')).toBe(true);
    await at.advance(58_999);
    expect(at.since(1)).toEqual([]);
    await at.advance(1);
    expect(at.since(60_000).sort()).toEqual(['1', '2']);
  });
});

/** At most so many attempts of an account at once; a breaker that opens after two failures in a row. */
class TestPolicy implements GatePolicy {
  readonly underWay = new Map<string, number>();
  readonly failed = new Set<IncomingRecord>();
  private readonly failures = new Map<string, number>();
  private readonly openUntil = new Map<string, number>();
  private readonly probes = new Map<string, IncomingRecord>();
  mostUnderWay = 0;

  constructor(
    private readonly most: number,
    private readonly openMs = 1_000,
  ) {}

  admit(record: IncomingRecord, scope: string, nowMs: number): GateOrder | undefined {
    const account = rootOf(scope);
    const running = this.underWay.get(account) ?? 0;
    const wait = (kind: GateOrder['kind'], untilMs: number) => ({ scope: account, kind, untilMs, reason: kind });
    if (running >= this.most) return wait('busy', Number.POSITIVE_INFINITY);
    const openUntil = this.openUntil.get(account);
    if (openUntil !== undefined) {
      if (this.probes.has(account)) return wait('breaker', Number.POSITIVE_INFINITY);
      if (nowMs < openUntil) return wait('breaker', openUntil);
      this.probes.set(account, record);
    }
    this.underWay.set(account, running + 1);
    this.mostUnderWay = Math.max(this.mostUnderWay, running + 1);
    return undefined;
  }

  ended(record: IncomingRecord, scope: string, nowMs: number): readonly GateOrder[] {
    const account = rootOf(scope);
    this.underWay.set(account, (this.underWay.get(account) ?? 0) - 1);
    const order = (kind: GateOrder['kind'], untilMs: number) => [{ scope: account, kind, untilMs, reason: kind }];
    const isProbe = this.probes.get(account) === record;
    if (this.openUntil.has(account) && !isProbe) return [];
    this.probes.delete(account);
    const failures = this.failed.has(record) ? (this.failures.get(account) ?? 0) + 1 : 0;
    this.failures.set(account, failures);
    if (failures >= 2) {
      this.openUntil.set(account, nowMs + this.openMs);
      return order('breaker', nowMs + this.openMs);
    }
    this.openUntil.delete(account);
    return order('busy', nowMs);
  }

  isProbing(account: string): boolean {
    return this.probes.has(account);
  }
}

describe('a policy', () => {
  it('lets one account have its places and another one its own', async () => {
    const policy = new TestPolicy(2);
    const finish: Array<() => void> = [];
    const at = await scene(() => new Promise((resolve) => finish.push(() => resolve(commit))), { gatePolicy: policy });
    at.append('a/1', 'a/2', 'a/3', 'a/4', 'a/5', 'b/1');
    await settled();
    expect(at.since(0)).toEqual(['a/1', 'a/2', 'b/1']);
    expect(at.runtime.snapshot().gates).toMatchObject([{ scope: 'a', kind: 'busy', waitingLanes: 3 }]);
    // Waiting for a place is no trouble: nothing is held.
    expect(at.runtime.snapshot().heldLanes).toEqual([]);
    finish.shift()?.();
    await settled();
    expect(at.since(0)).toEqual(['a/1', 'a/2', 'b/1', 'a/3']);
    while (finish.length > 0) {
      finish.shift()?.();
      await settled();
    }
    expect(at.since(0).sort()).toEqual(['a/1', 'a/2', 'a/3', 'a/4', 'a/5', 'b/1']);
    expect(at.runtime.snapshot().gates).toEqual([]);
  });

  it('that opens its breaker lets nothing through before its time, then one, then all', async () => {
    const policy = new TestPolicy(10);
    let isDown = true;
    const at = await scene(
      async (record) => {
        if (!isDown || keyOf(record) === 'b/1') return commit;
        policy.failed.add(record);
        return { to: 'retry', delayMs: 100, failure: aFailure };
      },
      { gatePolicy: policy },
    );
    at.append('a/1', 'a/2');
    await settled();
    at.append('a/3', 'a/4', 'b/1');
    await at.advance(999);
    expect(at.since(1)).toEqual([]);
    expect(at.runtime.snapshot().gates).toMatchObject([{ scope: 'a', kind: 'breaker', closedUntilMs: 1_000 }]);
    await at.advance(1);
    expect(at.since(1_000)).toHaveLength(1);
    isDown = false;
    await at.advance(999);
    expect(at.since(1_001)).toEqual([]);
    await at.advance(1);
    expect(at.since(2_000).sort()).toEqual(['a/1', 'a/2', 'a/3', 'a/4']);
  });

  it('asks again with one of the parked records when no other waits', async () => {
    const policy = new TestPolicy(10, 30_000);
    let isDown = true;
    const at = await scene(
      async (record) => {
        if (!isDown) return commit;
        policy.failed.add(record);
        return { to: 'retry', delayMs: 20_000, failure: aFailure };
      },
      { gatePolicy: policy, retries: { topic: retry } },
    );
    at.append('a/1', 'a/2');
    await at.advance(29_999);
    expect(at.calls).toHaveLength(2);
    expect(at.runtime.snapshot().parked).toMatchObject([{ records: 2 }]);
    await at.advance(1_000);
    expect(at.calls).toHaveLength(3);
    isDown = false;
    await at.advance(40_000);
    expect(at.runtime.snapshot()).toMatchObject({ gates: [], parked: [{ records: 0 }] });
    expect(at.calls).toHaveLength(5);
  });

  it('is told of every attempt once, however it ends', async () => {
    const ended: string[] = [];
    const gatePolicy: GatePolicy = {
      admit: () => undefined,
      ended: (record) => {
        ended.push(keyOf(record));
        return [];
      },
    };
    const endings: Record<string, () => Promise<Settlement>> = {
      'a/commit': async () => commit,
      'b/gate': async () => gate(100_000),
      'c/suspend': async () => suspend,
      'd/dead': async () => ({ to: 'deadLetter', failure: aFailure }),
      'e/throws': async () => {
        throw new TypeError('a mistake');
      },
      'f/nothing': async () => undefined as never,
      'g/retry': async () => ({ to: 'retry', delayMs: 100_000, failure: aFailure }),
    };
    const at = await scene((record) => endings[keyOf(record)]?.() ?? Promise.resolve(commit), { gatePolicy });
    at.append(...Object.keys(endings));
    await at.advance(1_000);
    expect(ended.sort()).toEqual(Object.keys(endings).sort());
  });

  it('never lets more through than it wants, probes with one record at a time, and leaves nothing behind', async () => {
    const record = fc.record({ account: fc.constantFrom('a', 'b'), part: fc.integer({ min: 0, max: 6 }) });
    const history = fc.record({
      records: fc.array(record, { minLength: 1, maxLength: 60, size: 'max' }),
      answers: fc.array(fc.constantFrom('commit', 'retry', 'long', 'gate', 'suspend'), { maxLength: 60, size: 'max' }),
      takesMs: fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 8 }),
      most: fc.integer({ min: 1, max: 3 }),
      retries: fc.boolean(),
      maxWindowRecords: fc.constantFrom(4, 1_000),
    });
    await fc.assert(
      fc.asyncProperty(history, async ({ records, answers, takesMs, most, retries, maxWindowRecords }) => {
        const policy = new TestPolicy(most);
        const clockOf: { clock?: VirtualClock } = {};
        let calls = 0;
        const running = new Map<string, number>();
        const done: number[] = [];
        const at = await scene(
          async (record) => {
            const [account = ''] = keyOf(record).split('/');
            const answer = answers[calls] ?? 'commit';
            const takes = takesMs[calls++ % takesMs.length] ?? 0;
            running.set(account, (running.get(account) ?? 0) + 1);
            expect(running.get(account)).toBeLessThanOrEqual(most);
            await new Promise<void>((resolve) => void clockOf.clock?.after(takes, resolve));
            running.set(account, (running.get(account) ?? 0) - 1);
            if (answer === 'gate') return gate(700);
            if (answer === 'suspend') return suspend;
            if (answer === 'commit') {
              done.push(Number(record.value));
              return commit;
            }
            policy.failed.add(record);
            return { to: 'retry', delayMs: answer === 'long' ? 11_000 : 300, failure: aFailure };
          },
          { gatePolicy: policy, maxWindowRecords, ...(retries && { retries: { topic: retry } }) },
        );
        clockOf.clock = at.clock;
        records.forEach(({ account, part }, index) => {
          at.broker.append(p, `${account}/${part}`, String(index), 0, { [deliveryHeaders.connectionId]: account });
        });
        at.driver.fetch();
        for (let round = 0; round < 200 && done.length < records.length; round++) {
          await at.advance(1_000);
          for (const account of ['a', 'b']) at.runtime.resumeScope(account);
        }
        await at.advance(3_000);
        expect(done).toHaveLength(records.length);
        const keyAt = (index: number) => `${records[index]?.account}/${records[index]?.part}`;
        for (const key of new Set(done.map(keyAt))) {
          const order = done.filter((index) => keyAt(index) === key);
          expect(order).toEqual([...order].sort((a, b) => a - b));
        }
        expect(at.runtime.snapshot()).toMatchObject({ gates: [], heldLanes: [], running: 0 });
        for (const account of ['a', 'b']) expect(policy.isProbing(account)).toBe(false);
        expect(at.broker.commits.get('main:0')?.offset).toBe(records.length);
      }),
      { numRuns: 100 },
    );
  }, 120_000);
});
