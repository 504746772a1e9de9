import type { Settlement } from '@tributary/domain';
import { describe, expect, it } from 'vitest';
import type { IncomingRecord } from '../records.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { AttemptTiming } from './attempt-timing.js';
import type { StartedFacts } from './runtime-options.js';
import { scopeWithin } from './scopes.js';

const failure = { errorClass: 'throttled', reason: 'busy' } as const;
const commit: Settlement = { to: 'commit' };
const gate = (closedForMs: number): Settlement => ({ to: 'gate', closedForMs, failure });
const retry = (delayMs: number): Settlement => ({ to: 'retry', delayMs, failure });

function aRecord(offset: number, headers: Record<string, string> = {}, topic = 'main'): IncomingRecord {
  const all = { 'x-connection-id': 'c', ...headers };
  return {
    topic,
    partition: 0,
    offset: BigInt(offset),
    timestampMs: 0,
    key: null,
    value: null,
    headers: all,
    rawHeaders: all,
  };
}

function watching() {
  const clock = new VirtualClock();
  const started: StartedFacts[] = [];
  const timing = new AttemptTiming({ clock, options: { group: 'g' }, onStarted: (facts) => void started.push(facts) });
  let answer: Settlement = commit;
  const handler = timing.watch(async () => answer);
  const attempt = { number: 1, firstFailureMs: undefined, signal: new AbortController().signal };
  const attempted = async (record: IncomingRecord, settlement: Settlement = commit) => {
    answer = settlement;
    await handler(record, attempt);
    const { group: _, ...facts } = started.at(-1) as StartedFacts;
    return facts;
  };
  return { clock, attempted };
}

const onTime = { isEarly: false, isRepeat: false };

describe('AttemptTiming', () => {
  it('says nothing about a first attempt', async () => {
    expect(await watching().attempted(aRecord(1))).toEqual(onTime);
  });

  it('tells by how much a retry was late, and never less than nothing', async () => {
    const { clock, attempted } = watching();
    await attempted(aRecord(1), retry(1_000));
    await clock.advance(1_030);
    expect(await attempted(aRecord(1), retry(500))).toEqual({ ...onTime, delay: { kind: 'retry', errorMs: 30 } });
    await clock.advance(500);
    expect(await attempted(aRecord(1))).toEqual({ ...onTime, delay: { kind: 'retry', errorMs: 0 } });
  });

  it.each([
    ['a retry', retry(1_000), aRecord(1)],
    ['what was gated', gate(1_000), aRecord(1)],
    ['another record of a gated account', gate(1_000), aRecord(2)],
  ])('sees %s come too early', async (_, settlement, next) => {
    const { clock, attempted } = watching();
    await attempted(aRecord(1), settlement);
    await clock.advance(999);
    expect(await attempted(next)).toEqual({ isEarly: true, isRepeat: false });
    await clock.advance(1);
    expect(await attempted(aRecord(3))).toEqual(onTime);
  });

  it('knows the longest pause that was asked for', async () => {
    const { clock, attempted } = watching();
    await attempted(aRecord(1), gate(5_000));
    await attempted(aRecord(2), gate(1_000));
    await clock.advance(4_000);
    expect(await attempted(aRecord(3))).toMatchObject({ isEarly: true });
    await clock.advance(1_000);
    expect(await attempted(aRecord(1))).toEqual({ ...onTime, delay: { kind: 'gate', errorMs: 0 } });
  });

  it('holds all parts of an account to a pause of the account, and none to that of another part', async () => {
    const clock = new VirtualClock();
    const started: StartedFacts[] = [];
    const gateScope = ({ headers }: IncomingRecord) => headers.scope ?? '';
    const onStarted = (facts: StartedFacts) => void started.push(facts);
    const timing = new AttemptTiming({ clock, options: { group: 'g', gateScope }, onStarted });
    const attempt = { number: 1, firstFailureMs: undefined, signal: new AbortController().signal };
    const refused = timing.watch(async () => gate(1_000));
    const taken = timing.watch(async () => commit);
    await refused(aRecord(1, { scope: scopeWithin('a', 'C1') }), attempt);
    await taken(aRecord(2, { scope: scopeWithin('a', 'C2') }), attempt);
    await refused(aRecord(3, { scope: 'a' }), attempt);
    await taken(aRecord(4, { scope: scopeWithin('a', 'C2') }), attempt);
    expect(started.map(({ isEarly }) => isEarly)).toEqual([false, false, false, true]);
  });

  it('leaves other accounts alone, and gates that the destination did not ask for', async () => {
    const { attempted } = watching();
    await attempted(aRecord(1), gate(5_000));
    expect(await attempted(aRecord(2, { 'x-connection-id': 'other' }))).toEqual(onTime);
    const own: Settlement = {
      to: 'gate',
      closedForMs: 5_000,
      failure: { errorClass: 'unauthorized', reason: 'no secret' },
    };
    await attempted(aRecord(3, { 'x-connection-id': 'third' }), own);
    expect(await attempted(aRecord(4, { 'x-connection-id': 'third' }))).toEqual(onTime);
  });

  it('believes what a parked copy says, though another process wrote it', async () => {
    const { clock, attempted } = watching();
    const copy = (dueMs: number, more = {}) =>
      aRecord(
        9,
        {
          'x-origin-topic': 'main',
          'x-origin-partition': '0',
          'x-origin-offset': '1',
          'x-retry-due-ms': String(dueMs),
          ...more,
        },
        'main.retry',
      );
    const dueMs = clock.now() + 100;
    expect(await attempted(copy(dueMs), retry(0))).toMatchObject({ isEarly: true });
    await clock.advance(150);
    expect(await attempted(copy(dueMs, { 'x-error-class': 'throttled' }), retry(0))).toMatchObject({
      delay: { errorMs: 50, kind: 'gate' },
    });
    expect(await attempted(copy(clock.now() - 7, { 'x-error-class': 'throttled' }), commit)).toMatchObject({
      delay: { errorMs: 0 },
    });
    for (const text of ['soon', '-5', 'Infinity', '1e3', '']) {
      expect(await attempted(aRecord(70, { 'x-retry-due-ms': text }), gate(0))).not.toMatchObject({ isEarly: true });
    }
  });

  it('counts what was settled before, in main or parked, and not what an operator sent again', async () => {
    const { attempted } = watching();
    const origin = { 'x-origin-topic': 'main', 'x-origin-partition': '0', 'x-origin-offset': '1' };
    await attempted(aRecord(1));
    expect(await attempted(aRecord(1))).toEqual({ isEarly: false, isRepeat: true });
    expect(await attempted(aRecord(5, origin, 'main.retry'))).toMatchObject({ isRepeat: true });
    expect(await attempted(aRecord(6, { ...origin, 'x-redrive-id': 'job' }, 'main.retry'))).toMatchObject({
      isRepeat: false,
    });
  });

  it('forgets the oldest, so that memory stays', async () => {
    const { attempted } = watching();
    await attempted(aRecord(0));
    for (let offset = 1; offset <= 20_000; offset++) await attempted(aRecord(offset));
    expect(await attempted(aRecord(0))).toMatchObject({ isRepeat: false });
    expect(await attempted(aRecord(20_000))).toMatchObject({ isRepeat: true });
  });

  it('passes on what a handler throws', async () => {
    const timing = new AttemptTiming({ clock: new VirtualClock(), options: { group: 'g' }, onStarted: () => {} });
    const handler = timing.watch(async () => {
      throw new Error('no database');
    });
    const attempt = { number: 1, firstFailureMs: undefined, signal: new AbortController().signal };
    await expect(handler(aRecord(1), attempt)).rejects.toThrow('no database');
  });
});
