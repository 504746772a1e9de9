import type { Settlement } from '@tributary/domain';
import { describe, expect, it } from 'vitest';
import type { IncomingRecord, OutgoingRecord } from '../../records.js';
import { aFailure } from '../../testing/failures.js';
import { main, p, r, retry, type SceneWorld, scene, text } from '../../testing/retry-scene.js';
import { settled } from '../../testing/virtual-clock.js';

const holding = { retries: { topic: retry, onDead: 'hold' } } as const;
const dies: Settlement = { to: 'deadLetter', failure: { errorClass: 'rejected', reason: 'no', stage: 'send' } };
const isHold = ({ topic, headers }: OutgoingRecord) => topic === retry.name && headers?.['x-retry-hold'] !== undefined;

/** A destination that refuses what is named, and what it was asked for, in turn. */
function destination(refused: readonly string[]) {
  const refuses = new Set(refused);
  const seen: string[] = [];
  const handler = async (record: IncomingRecord): Promise<Settlement> => {
    seen.push(text(record));
    return refuses.has(text(record)) ? dies : { to: 'commit' };
  };
  return { refuses, seen, handler };
}

const originOf = (offset: number) => ({
  'x-origin-topic': main.name,
  'x-origin-partition': '0',
  'x-origin-offset': String(offset),
});

/** What `tributary dlt redrive` sends. */
function redrive(
  { broker }: Pick<SceneWorld, 'broker'>,
  value: string,
  origin: number,
  count = 1,
  id = `job-${count}`,
) {
  broker.append(r, 'a', value, 0, { ...originOf(origin), 'x-redrive-id': id, 'x-redrive-count': String(count) });
}

/** What `tributary dlt discard` sends. */
function release({ broker }: Pick<SceneWorld, 'broker'>, value: string, origin: number, count = 1) {
  const headers = { ...originOf(origin), 'x-redrive-count': String(count), 'x-retry-hold': 'released' };
  broker.append(r, 'a', value, 0, headers);
}

async function started(at: Awaited<ReturnType<typeof scene>>) {
  await at.driver.assign([p, r]);
  await settled();
}

async function turns(at: Awaited<ReturnType<typeof scene>>, count = 6, ms = 500) {
  for (let i = 0; i < count; i++) await at.turn(ms);
}

const appendAll = ({ broker }: Pick<SceneWorld, 'broker'>, ...values: string[]) => {
  for (const value of values) broker.append(p, value.charAt(0), value);
};

describe('a dead letter that holds its key', () => {
  it('keeps what comes after it waiting, lets other keys flow and is told', async () => {
    const { seen, handler } = destination(['a0']);
    const at = await scene(handler, holding);
    appendAll(at, 'a0', 'a1', 'b0', 'a2', 'b1');
    await started(at);
    await turns(at, 100, 60_000);
    expect(seen).toEqual(['a0', 'b0', 'b1']);
    expect(at.dead.map(({ headers }) => headers?.['x-retry-hold'])).toEqual(['dead-letter']);
    const [parked] = at.runtime.snapshot().parked;
    expect(parked).toMatchObject({
      records: 1,
      earliestDueMs: undefined,
      heads: [{ lane: 'a', offset: 0, deadLetter: 'main.dlt/0/0' }],
    });
    // It is no lag of ours, and told once.
    expect(at.runtime.snapshot().heldLanes).toEqual([]);
    expect(parked).toMatchObject({ oldestFailureMs: undefined, oldestDeadMs: expect.any(Number) });
    expect(at.runtime.snapshot().partitions.map(({ oldestUnfinishedMs }) => oldestUnfinishedMs)).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('is followed by the next record when nothing was asked for', async () => {
    const { seen, handler } = destination(['a0']);
    const at = await scene(handler);
    appendAll(at, 'a0', 'a1');
    await started(at);
    await turns(at);
    expect(seen).toEqual(['a0', 'a1']);
    expect(at.broker.logs.get('main.retry:0')).toBeUndefined();
    expect(at.dead[0]?.headers).not.toHaveProperty('x-retry-hold');
  });

  it('goes first when it is redriven, then the others in order; if it dies again it holds again', async () => {
    const { refuses, seen, handler } = destination(['a0']);
    const at = await scene(handler, holding);
    appendAll(at, 'a0', 'a1', 'a2');
    await started(at);
    await turns(at);
    redrive(at, 'a0', 0, 1);
    await turns(at, 20);
    expect(seen).toEqual(['a0', 'a0']);
    expect(at.dead).toHaveLength(2);
    refuses.clear();
    redrive(at, 'a0', 0, 2);
    await turns(at, 20);
    expect(seen).toEqual(['a0', 'a0', 'a0', 'a1', 'a2']);
    expect(at.broker.commits.get('main:0')?.offset).toBe(3);
    expect(at.broker.commits.get('main.retry:0')?.offset).toBe(4);
  });

  it('lets the others go when it is discarded, and is never sent', async () => {
    const { seen, handler } = destination(['a0']);
    const at = await scene(handler, holding);
    appendAll(at, 'a0', 'a1', 'a2');
    await started(at);
    await turns(at);
    release(at, 'a0', 0);
    await turns(at);
    expect(seen).toEqual(['a0', 'a1', 'a2']);
    expect(at.runtime.snapshot().parked).toMatchObject([{ records: 0 }]);
    expect(at.broker.commits.get('main.retry:0')?.offset).toBe(2);
  });

  it('holds its key when it dies in the retry topic too', async () => {
    const seen: string[] = [];
    const at = await scene(async (record, { number }) => {
      seen.push(`${text(record)}#${number}`);
      if (text(record) !== 'a0') return { to: 'commit' };
      return number === 1 ? { to: 'retry', delayMs: 20_000, failure: aFailure } : dies;
    }, holding);
    appendAll(at, 'a0', 'a1');
    await started(at);
    await turns(at, 100, 1_000);
    expect(seen).toEqual(['a0#1', 'a0#2']);
    release(at, 'a0', 0);
    await turns(at);
    expect(seen).toEqual(['a0#1', 'a0#2', 'a1#1']);
  });

  it('waits for room rather than be attempted again when the retry topic is full', async () => {
    let refuse: (settlement: Settlement) => void = () => {};
    const seen: string[] = [];
    const at = await scene(async (record, { number }) => {
      if (text(record).startsWith('k'))
        return number > 1 ? { to: 'commit' } : { to: 'retry', delayMs: 7_200_000, failure: aFailure };
      seen.push(text(record));
      return text(record) === 'a0' ? new Promise((resolve) => (refuse = resolve)) : { to: 'commit' };
    }, holding);
    for (let i = 0; i < 9_000; i++) at.broker.append(p, `k${i}`, `k${i}`);
    appendAll(at, 'a0', 'a1');
    for (let i = 0; i < 12_000; i++) at.broker.append(p, `l${i}`, `k${i}`);
    await started(at);
    const fetch = async (times: number, ms: number) => {
      for (let i = 0; i < times; i++) {
        at.driver.fetch(1_000);
        await at.clock.advance(ms);
      }
    };
    const holds = () => at.broker.logs.get('main.retry:0')?.filter(({ headers }) => headers?.['x-retry-hold']).length;
    await fetch(40, 500);
    refuse(dies);
    await fetch(10, 500);
    expect(at.dead).toHaveLength(1);
    expect(holds()).toBe(0);
    // What fills it is due, and delivered.
    await fetch(60, 240_000);
    expect(holds()).toBe(1);
    expect(seen).toEqual(['a0']);
  });

  it.each<[string, (record: OutgoingRecord) => boolean, 'beforeSend' | 'afterSend']>([
    ['before its dead letter is written', ({ topic }) => topic !== retry.name, 'beforeSend'],
    ['before the dead letter is acknowledged', ({ topic }) => topic !== retry.name, 'afterSend'],
    ['before the hold is written', isHold, 'beforeSend'],
    ['before the hold is acknowledged', isHold, 'afterSend'],
  ])('holds over a crash %s', async (_, isIt, moment) => {
    const { refuses, seen, handler } = destination(['a0']);
    const first = await scene(handler, holding);
    appendAll(first, 'a0', 'a1', 'a2');
    first.hooks[moment] = (record) => isIt(record) && first.crash();
    await started(first);
    await turns(first);
    const next = await scene(handler, holding, first);
    await started(next);
    await turns(next, 60);
    expect(new Set(seen)).toEqual(new Set(['a0']));
    const attempts = seen.length;
    refuses.clear();
    redrive(next, 'a0', 0);
    await turns(next, 20);
    expect(seen.slice(attempts)).toEqual(['a0', 'a1', 'a2']);
  });

  it('holds over a crash after all is committed, and over a hand-over', async () => {
    const { seen, handler } = destination(['a0']);
    const first = await scene(handler, holding);
    appendAll(first, 'a0', 'a1', 'a2');
    await started(first);
    await turns(first, 20);
    first.crash();
    const second = await scene(handler, holding, first);
    await started(second);
    await turns(second, 60);
    await second.driver.assign([]);
    const third = await scene(handler, holding, first);
    await started(third);
    await turns(third, 60);
    expect(seen).toEqual(['a0']);
    expect(third.runtime.snapshot().parked).toMatchObject([{ heads: [{ deadLetter: 'main.dlt/0/0' }] }]);
    release(third, 'a0', 0);
    await turns(third, 10);
    expect(seen).toEqual(['a0', 'a1', 'a2']);
  });

  it.each([
    ['redriven', redrive, ['a0', 'a0', 'a1']],
    ['discarded', release, ['a0', 'a1']],
  ] as const)('is not held for ever when it was %s before its hold was written', async (_, decide, expected) => {
    const { refuses, seen, handler } = destination(['a0']);
    const at = await scene(handler, holding);
    appendAll(at, 'a0', 'a1');
    at.hooks.beforeSend = (record) => {
      if (!isHold(record)) return;
      at.hooks.beforeSend = () => {};
      refuses.clear();
      decide(at, 'a0', 0);
      at.driver.fetch();
    };
    await started(at);
    await turns(at, 20);
    expect(seen).toEqual(expected);
  });

  it('is appended again before retention deletes it, still as a hold', async () => {
    const retentionMs = 3_600_000;
    const { refuses, seen, handler } = destination(['a0']);
    const at = await scene(handler, { retries: { topic: { ...retry, retentionMs }, onDead: 'hold' } });
    appendAll(at, 'a0', 'a1');
    await started(at);
    await turns(at, 170, 60_000);
    const copies = at.broker.logs.get('main.retry:0') ?? [];
    expect(copies.length).toBeGreaterThanOrEqual(5);
    expect(copies.at(-1)?.headers).toEqual(copies[0]?.headers);
    expect(seen).toEqual(['a0']);
    refuses.clear();
    redrive(at, 'a0', 0);
    await turns(at, 20);
    expect(seen).toEqual(['a0', 'a0', 'a1']);
  });

  it('is released for a new owner too when its hold was renewed at the moment of the release', async () => {
    const { seen, handler } = destination(['a0']);
    const first = await scene(handler, holding);
    appendAll(first, 'a0', 'a1');
    await started(first);
    await turns(first);
    first.crash();
    const hold = first.broker.logs.get('main.retry:0')?.[0];
    release(first, 'a0', 0);
    first.broker.append(r, 'a', 'a0', 0, hold?.headers);
    const next = await scene(handler, holding, first);
    await started(next);
    await turns(next, 40);
    expect(seen).toEqual(['a0', 'a1']);
    expect(next.runtime.snapshot().parked).toMatchObject([{ records: 0 }]);
    expect(first.broker.commits.get('main.retry:0')?.offset).toBe(3);
  });

  it('is not attempted again by a repeated append of the redrive that it died of', async () => {
    const { seen, handler } = destination(['a0']);
    const at = await scene(handler, holding);
    appendAll(at, 'a0', 'a1');
    await started(at);
    await turns(at);
    redrive(at, 'a0', 0, 1, 'job');
    await turns(at);
    redrive(at, 'a0', 0, 1, 'job');
    await turns(at, 20);
    expect(seen).toEqual(['a0', 'a0']);
  });

  it('is not released by what an operator did to an earlier death of it', async () => {
    const { seen, handler } = destination(['a0']);
    const at = await scene(handler, holding);
    appendAll(at, 'a0', 'a1');
    await started(at);
    await turns(at);
    redrive(at, 'a0', 0, 1);
    await turns(at, 10);
    release(at, 'a0', 0, 1);
    await turns(at, 20);
    expect(seen).toEqual(['a0', 'a0']);
  });

  it('is chosen by the account and why it died', async () => {
    const { seen, handler } = destination(['a0', 'b0']);
    const asked: string[] = [];
    const at = await scene(handler, {
      gateScope: (record) => `account-${record.key}`,
      retries: {
        topic: retry,
        onDead: (account, failure) => {
          asked.push(`${account} ${failure?.errorClass}`);
          return account === 'account-a' ? 'hold' : 'continue';
        },
      },
    });
    appendAll(at, 'a0', 'a1', 'b0', 'b1');
    await started(at);
    await turns(at, 60);
    expect(seen.toSorted()).toEqual(['a0', 'b0', 'b1']);
    expect(new Set(asked)).toEqual(new Set(['account-a rejected', 'account-b rejected', 'account-a undefined']));
  });

  it.each([
    ['the owner that wrote it', false],
    ['a new owner', true],
  ])('lets its key go when the account does not hold keys any more: %s', async (_, isNewOwner) => {
    const { seen, handler } = destination(['a0']);
    let policy: 'continue' | 'hold' = 'hold';
    const options = { retries: { topic: retry, onDead: () => policy } };
    const first = await scene(handler, options);
    appendAll(first, 'a0', 'a1', 'a2');
    await started(first);
    await turns(first, 40);
    expect(seen).toEqual(['a0']);
    if (isNewOwner) first.crash();
    policy = 'continue';
    const at = isNewOwner ? await scene(handler, options, first) : first;
    if (isNewOwner) await started(at);
    await turns(at, 60);
    expect(seen).toEqual(['a0', 'a1', 'a2']);
    expect(at.dead).toHaveLength(isNewOwner ? 0 : 1);
    expect(at.broker.commits.get('main.retry:0')?.offset).toBe(1);
  });

  it('is refused where there is no order to keep', async () => {
    await expect(scene(async () => ({ to: 'commit' }), { ...holding, ordering: 'none' })).rejects.toThrow(
      /group tests has no order by key/,
    );
  });

  it('is no dead letter of ours when its mark is unknown: it is buried and said', async () => {
    const { seen, handler } = destination([]);
    const at = await scene(handler, holding);
    appendAll(at, 'a0');
    at.broker.append(r, 'a', 'a0', 0, { ...originOf(0), 'x-retry-hold': 'perhaps' });
    await started(at);
    await turns(at);
    expect(at.dead.map(({ headers }) => headers?.['x-error-message'])).toEqual([
      expect.stringMatching(/x-retry-hold is perhaps/),
    ]);
    expect(seen).toEqual(['a0']);
  });
});
