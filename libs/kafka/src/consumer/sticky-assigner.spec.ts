import fc from 'fast-check';
import { AssignerProtocol } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { assignNumbers, decodeOwnership, encodeOwnership, nothingOwned, stickyAssigner } from './sticky-assigner.js';

const members = fc.uniqueArray(
  fc.record({
    memberId: fc.string({ minLength: 1, maxLength: 4 }),
    partitions: fc.array(fc.integer({ min: -2, max: 40 }), { maxLength: 12 }),
    sinceMs: fc.nat(3),
  }),
  { minLength: 1, maxLength: 6, selector: ({ memberId }) => memberId },
);

describe('assignNumbers', () => {
  it('gives every number to exactly one member, evenly, whatever the members claim', () => {
    fc.assert(
      fc.property(members, fc.nat(40), (before, count) => {
        const taken = assignNumbers(before, count);
        const all = [...taken.values()].flat().sort((a, b) => a - b);
        expect(all).toEqual(Array.from({ length: count }, (_, i) => i));
        const loads = [...taken.values()].map(({ length }) => length);
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('moves nothing when nobody came or went, and only what must move when somebody did', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.nat(40), (size, count) => {
        const names = Array.from({ length: size }, (_, i) => `m${i}`);
        const first = assignNumbers(
          names.map((memberId) => ({ memberId, partitions: [], sinceMs: 0 })),
          count,
        );
        const before = [...first].map(([memberId, partitions]) => ({ memberId, partitions, sinceMs: 1 }));
        expect(assignNumbers(before, count)).toEqual(first);
        const joined = assignNumbers([...before, { memberId: 'new', partitions: [], sinceMs: 0 }], count);
        const moved = before.flatMap(({ memberId, partitions }) =>
          partitions.filter((number) => !joined.get(memberId)?.includes(number)),
        );
        expect(moved.sort()).toEqual([...(joined.get('new') ?? [])].sort());
        const left = assignNumbers(before.slice(1), count);
        for (const { memberId, partitions } of before.slice(1))
          expect(left.get(memberId)).toEqual(expect.arrayContaining([...partitions]));
      }),
    );
  });

  it('believes the later of two owners', () => {
    const taken = assignNumbers(
      [
        { memberId: 'a-old', partitions: [0, 1], sinceMs: 1 },
        { memberId: 'b-new', partitions: [1], sinceMs: 2 },
      ],
      2,
    );
    expect(taken).toEqual(
      new Map([
        ['a-old', [0]],
        ['b-new', [1]],
      ]),
    );
  });
});

describe('ownership in the join request', () => {
  it('comes back as it was', () => {
    const ownership = { partitions: [0, 5], sinceMs: 1_700_000_000_000 };
    expect(decodeOwnership(encodeOwnership(ownership))).toEqual(ownership);
  });

  it.each([
    ['nothing', null],
    ['an empty one', ''],
    ['no JSON', '\u0000\u0001'],
    ['null', 'null'],
    ['another version', '{"version":2,"partitions":[1],"sinceMs":1}'],
    ['partitions that are none', '{"version":1,"partitions":"all","sinceMs":1}'],
    ['a time that is none', '{"version":1,"partitions":[1],"sinceMs":"now"}'],
  ])('claims nothing by %s', (_, text) => {
    expect(decodeOwnership(text === null ? null : Buffer.from(text))).toEqual(nothingOwned);
  });
});

describe('stickyAssigner', () => {
  it('gives the same numbers of all topics to one member', async () => {
    const counts: Record<string, number> = { main: 5, 'main.retry': 5 };
    const cluster = { findTopicPartitionMetadata: (topic: string) => Array(counts[topic]).fill({}) };
    const assigner = stickyAssigner(() => nothingOwned)({ cluster } as never);
    const topics = ['main', 'main.retry'];
    const { metadata } = assigner.protocol({ topics });
    const answers = await assigner.assign({
      members: ['x', 'y'].map((memberId) => ({ memberId, memberMetadata: metadata })),
      topics,
    });
    const taken = answers.map(
      ({ memberAssignment }) => AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment,
    );
    for (const assignment of taken) expect(assignment?.main).toEqual(assignment?.['main.retry']);
    expect(taken.flatMap((assignment) => assignment?.main ?? []).sort()).toEqual([0, 1, 2, 3, 4]);
  });
});
