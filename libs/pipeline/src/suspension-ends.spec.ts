import type { Suspension } from '@tributary/contracts';
import { activeSuspension, ControlTable } from '@tributary/control';
import { describe, expect, it } from 'vitest';
import { SuspensionEnds } from './suspension-ends.js';

const silent = { debug() {}, info() {}, warn() {}, error() {}, fatal() {}, child: () => silent } as never;
const aRow = (until: number | null): Suspension => ({
  connectionId: 'out',
  reason: 'a long pause',
  suspendedBy: 'x',
  suspendedAt: 0,
  until,
  version: 1,
});

function world(before?: Suspension, waitsHere = true) {
  const table = new ControlTable<Suspension>();
  if (before) table.put('out', before);
  const clock = { now: 0 };
  let timers: Array<{ atMs: number; act: () => void }> = [];
  const resumed: number[] = [];
  const cleared: Suspension[] = [];
  const ends = new SuspensionEnds({
    table,
    nowMs: () => clock.now,
    after: (ms, act) => {
      const timer = { atMs: clock.now + ms, act };
      timers.push(timer);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
    resume: () => {
      resumed.push(clock.now);
      return waitsHere;
    },
    clear: async (row) => void cleared.push(row),
    logger: silent,
  });
  const advance = (untilMs: number) => {
    for (let due = timers.find(({ atMs }) => atMs <= untilMs); due; due = timers.find(({ atMs }) => atMs <= untilMs)) {
      const { atMs, act } = due;
      timers = timers.filter((one) => one !== due);
      clock.now = atMs;
      act();
    }
    clock.now = untilMs;
  };
  return { table, ends, resumed, cleared, advance, pending: () => timers.length };
}

const day = 24 * 3_600_000;

describe('a suspension with an end', () => {
  it('is over at its time, to the millisecond, and its row is taken away', () => {
    const { table, advance, resumed, cleared } = world();
    table.put('out', aRow(5_000));
    advance(4_999);
    expect(resumed).toEqual([]);
    advance(5_000);
    expect(resumed).toEqual([5_000]);
    expect(cleared).toMatchObject([{ connectionId: 'out' }]);
  });

  it('is over at its time after a restart too, and at once when that passed meanwhile', () => {
    const later = world(aRow(5_000));
    later.advance(5_000);
    expect(later.resumed).toEqual([5_000]);
    const passed = world(aRow(-1));
    passed.advance(0);
    expect(passed.resumed).toEqual([0]);
  });

  it('waits longer than a timer can', () => {
    const { advance, resumed } = world(aRow(60 * day));
    advance(59 * day);
    expect(resumed).toEqual([]);
    advance(60 * day);
    expect(resumed).toEqual([60 * day]);
  });

  it('leaves its row to the process in which the records wait', () => {
    const { advance, resumed, cleared } = world(aRow(5), false);
    advance(5);
    expect([resumed, cleared]).toEqual([[5], []]);
  });

  it('follows a change of its time, and a person who ends it earlier or makes it endless', () => {
    const { table, advance, resumed, pending } = world(aRow(5_000));
    table.put('out', aRow(9_000));
    advance(8_999);
    expect(resumed).toEqual([]);
    table.put('out', aRow(null));
    advance(20_000);
    expect(resumed).toEqual([]);
    table.put('out', undefined);
    expect(resumed).toEqual([20_000]);
    expect(pending()).toBe(0);
  });

  it('acts no more once the process stops', () => {
    const { ends, advance, resumed } = world(aRow(5));
    ends.stop();
    advance(10);
    expect(resumed).toEqual([]);
  });

  it.each<[string, Suspension | undefined, boolean]>([
    ['one without an end', aRow(null), true],
    ['one that ends later', aRow(101), true],
    ['one that has ended', aRow(100), false],
    ['none', undefined, false],
  ])('%s holds now: %s', (_, row, holds) => {
    expect(activeSuspension(row, 100) !== undefined).toBe(holds);
  });
});
