import { describe, expect, it } from 'vitest';
import { blockSize, blocksIn, joined, portions } from './block.js';

const topic = 'events.people.v1';
const blocks = [0, 1, 2].flatMap((partition) => blocksIn(topic, { partition, from: 5, to: 20 * blockSize + 7 }));

describe('portions of blocks', () => {
  it('are all of them, once', () => {
    const all = [...portions(blocks)].flat();
    expect(all).toHaveLength(63);
    expect(new Set(all)).toEqual(new Set(blocks));
  });

  it('have the same offsets of all partitions, which lie together', () => {
    const [first = []] = portions(blocks);
    expect(joined(first)).toEqual([0, 1, 2].map((partition) => ({ topic, partition, from: 5, to: 4 * blockSize })));
  });

  it('of nothing are none', () => expect([...portions([])]).toEqual([]));
});

describe('neighbours', () => {
  it('become one span in whatever order they come', () => {
    const whole = [0, 1, 2].map((partition) => ({ topic, partition, from: 5, to: 20 * blockSize + 7 }));
    expect(joined(blocks.toReversed())).toEqual(whole);
    expect(joined([...portions(blocks)].flat())).toEqual(whole);
  });
});
