import { describe, expect, it } from 'vitest';
import { Places } from './places.js';
import { anotherTurn } from './testing/another-turn.js';

describe('Places', () => {
  it('gives so many at once, and then to who came first', async () => {
    const places = new Places(2);
    const order: number[] = [];
    const ends = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
    const all = ends.map(({ promise }, i) =>
      places.use(() => {
        order.push(i);
        return promise;
      }),
    );
    await anotherTurn();
    expect(order).toEqual([0, 1]);
    ends[1]?.resolve();
    await places.nextFreed;
    await anotherTurn();
    expect(order).toEqual([0, 1, 2]);
    for (const { resolve } of ends) resolve();
    await Promise.all(all);
    expect(order).toEqual([0, 1, 2, 3]);
    expect(places.areUsed).toBe(false);
  });

  it('gives a place back when the work in it fails', async () => {
    const places = new Places(1);
    await expect(places.use(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(places.areUsed).toBe(false);
    expect(await places.use(async () => 'yes')).toBe('yes');
  });

  it('lets others have a turn between two pieces of work that never wait', async () => {
    const places = new Places(1);
    let turns = 0;
    const seen: number[] = [];
    const all = Array.from({ length: 3 }, () => places.use(async () => void seen.push(turns)));
    const tick = () => {
      turns += 1;
      if (seen.length < 3) setImmediate(tick);
    };
    setImmediate(tick);
    await Promise.all(all);
    expect(new Set(seen).size).toBe(3);
  });
});
