import { describe, expect, it } from 'vitest';
import { liveState, pageOf } from './live-state.js';
import { aSnapshot } from './testing/a-snapshot.js';

describe('liveState', () => {
  it('tells what stands still, longest first, and why', () => {
    const { keys, gates, pauses, groups } = liveState([aSnapshot], { limit: 10, offset: 0 }, 10_000);
    const told = keys.list.map(({ lane, state, parked, until }) => [lane, state, parked, until]);
    expect(told).toEqual([
      ['out acme:1', 'parked', 2, '1970-01-01T00:00:30.000Z'],
      ['out acme:8', 'gated', 0, '1970-01-01T00:00:20.000Z'],
      ['out acme:7', 'held', 0, '1970-01-01T00:00:11.000Z'],
    ]);
    expect(gates.list).toMatchObject([{ scope: 'out', waitingKeys: 1 }]);
    expect(pauses.list).toMatchObject([{ partition: 3, reason: 'window' }]);
    expect(groups).toMatchObject([{ group: 'connector-http', partitions: 2, parkedRecords: 2, parkedKeys: 1 }]);
  });

  it('says nothing of what it does not know', () => {
    const neverTried = {
      ...aSnapshot.parked[0]!,
      heads: [{ ...aSnapshot.parked[0]!.heads[0]!, firstFailureMs: undefined, dueMs: 0 }],
    };
    const { keys } = liveState([{ ...aSnapshot, heldLanes: [], parked: [neverTried] }], { limit: 1, offset: 0 }, 1);
    expect(keys.list).toMatchObject([{ since: null, until: null, reason: 'its turn comes' }]);
  });

  it('tells a dead letter that holds its key, and no time for what a person decides', () => {
    const parked = {
      ...aSnapshot.parked[0]!,
      heads: [{ ...aSnapshot.parked[0]!.heads[0]!, deadLetter: 'out.dlt/0/7', dueMs: 253_402_300_799_000 }],
    };
    const { keys } = liveState([{ ...aSnapshot, heldLanes: [], parked: [parked] }], { limit: 1, offset: 0 }, 1);
    expect(keys.list).toMatchObject([
      { state: 'dead', until: null, reason: 'dead letter out.dlt/0/7 holds the key: redrive or discard it' },
    ]);
  });

  it('pages to the end', () => {
    const seen: string[] = [];
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const { keys } = liveState([aSnapshot], { limit: 2, offset }, 10_000);
      seen.push(...keys.list.map(({ lane }) => lane));
      offset = keys.nextOffset;
    }
    expect(seen).toEqual(['out acme:1', 'out acme:8', 'out acme:7']);
  });

  it('shows a hundred unless told', () => {
    expect(pageOf('')).toEqual({ limit: 100, offset: 0 });
    expect(pageOf('limit=7&offset=3&other=x')).toEqual({ limit: 7, offset: 3 });
  });
});
