import { describe, expect, it } from 'vitest';
import { type Lane, laneIn, OwnedPartition } from './owned-partition.js';
import { ReadyLanes } from './ready-lanes.js';

const owner = new OwnedPartition('t', 0);
const aLane = (key: string, records: number) => Object.assign(laneIn(owner, key), { records });

function taken(ready: ReadyLanes<Lane>): string[] {
  const keys: string[] = [];
  for (let lane = ready.take(); lane; lane = ready.take()) keys.push(lane.key);
  return keys;
}

describe('ReadyLanes', () => {
  it('lets a long lane go on at once, and every second turn is for the others', () => {
    const ready = new ReadyLanes<Lane>();
    for (const key of ['a', 'b', 'c']) ready.push(aLane(key, 1));
    for (const key of ['hot', 'warm']) ready.push(aLane(key, 100));
    expect(taken(ready)).toEqual(['hot', 'a', 'warm', 'b', 'c']);
  });

  it('is first in, first out within each kind', () => {
    const ready = new ReadyLanes<Lane>();
    const hot = aLane('hot', 100);
    ready.push(hot);
    expect(ready.take()).toBe(hot);
    for (const key of ['a', 'b']) ready.push(aLane(key, 1));
    ready.push(hot);
    expect(taken(ready)).toEqual(['a', 'hot', 'b']);
    expect(ready.isEmpty).toBe(true);
  });
});
