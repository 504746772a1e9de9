import fc from 'fast-check';
import { type AppendFate, type Rejoin, RetryWorld, type Verdict } from './retry-world.js';
import type { CommitFate, WorldOptions } from './world-member.js';

type Step =
  | { readonly do: 'append'; readonly key: number; readonly count: number; readonly gap: number }
  | { readonly do: 'fetch'; readonly max: number }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'commits'; readonly fate: CommitFate }
  | { readonly do: 'appends'; readonly fate: AppendFate }
  | { readonly do: 'cut'; readonly fate: CommitFate }
  | { readonly do: 'rejoin'; readonly how: Rejoin; readonly fates: readonly CommitFate[] }
  | { readonly do: 'cut-append'; readonly fate: AppendFate }
  | {
      readonly do:
        | 'crash'
        | 'session-lost'
        | 'hand-over'
        | 'kept'
        | 'away-and-back'
        | 'haunted'
        | 'away-and-used'
        | 'redrive'
        | 'discard';
    };

export interface History {
  readonly steps: readonly Step[];
  /** Of the attempts, in turn; afterwards all are delivered. */
  readonly verdicts: readonly Verdict[];
}

const weighted = <T>(...choices: readonly [number, fc.Arbitrary<T>][]): fc.Arbitrary<T> =>
  fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));
const just = <T>(value: T) => fc.constant(value);

const plain: readonly [number, fc.Arbitrary<Step>][] = [
  [
    5,
    fc.record({
      do: just('append' as const),
      key: fc.constantFrom(0, 0, 1),
      count: just(1),
      gap: fc.constantFrom(0, 0, 0, 2),
    }),
  ],
  [5, fc.record({ do: just('fetch' as const), max: fc.integer({ min: 1, max: 4 }) })],
  [5, fc.record({ do: just('advance' as const), ms: fc.constantFrom(1, 100, 300, 1_000, 6_000, 12_000, 20_100) })],
  [
    2,
    fc.record({
      do: just('commits' as const),
      fate: fc.constantFrom<CommitFate>('refused', 'unseen', 'only-main', 'only-retry', 'slow'),
    }),
  ],
  // The next commit goes wrong and the process dies before it can say it again.
  [2, fc.record({ do: just('cut' as const), fate: fc.constantFrom<CommitFate>('only-main', 'only-retry', 'unseen') })],
  [
    3,
    fc.record({
      do: just('appends' as const),
      fate: fc.constantFrom<AppendFate>('refused', 'unseen', 'unseen', 'late'),
    }),
  ],
  [
    2,
    fc.record({
      do: fc.constantFrom(
        'crash' as const,
        'session-lost' as const,
        'hand-over' as const,
        'kept' as const,
        'away-and-back' as const,
        'haunted' as const,
        'away-and-used' as const,
      ),
    }),
  ],
  // The session broke: the client says what is finished as the member it was, and then joins.
  [
    1,
    fc.record({
      do: just('rejoin' as const),
      how: fc.constantFrom<Rejoin>('former', 'late', 'new', 'new'),
      fates: fc.oneof(
        fc.array(fc.constantFrom<CommitFate>('refused', 'unseen', 'only-main', 'only-retry', 'slow', 'expelled'), {
          maxLength: 3,
        }),
        // Longer than a member waits that has a session to lose.
        just(Array.from({ length: 12 }, () => 'refused' as const)),
      ),
    }),
  ],
  [1, fc.record({ do: just('redrive' as const) })],
];
/** An operator who has much to decide. */
const decided: readonly [number, fc.Arbitrary<Step>][] = [
  [2, fc.record({ do: fc.constantFrom('redrive' as const, 'discard' as const) })],
];
const crowded: readonly [number, fc.Arbitrary<Step>][] = [
  ...plain,
  [2, fc.record({ do: just('append' as const), key: fc.constantFrom(0, 0, 1), count: just(5), gap: just(0) })],
  // The process dies while one append is under way and others are acknowledged.
  [2, fc.record({ do: just('cut-append' as const), fate: fc.constantFrom<AppendFate>('refused', 'unseen', 'late') })],
];

const verdicts: readonly Verdict[] = [
  'delivered',
  'delivered',
  'delivered',
  'slow-delivered',
  'short-retry',
  'long-retry',
  'long-retry',
  'long-retry',
  'long-retry',
  'short-gate',
  'long-gate',
  'dead',
];

const historiesOf = (step: fc.Arbitrary<Step>, deaths: readonly Verdict[] = []): fc.Arbitrary<History> =>
  fc.record({
    steps: fc.array(step, { minLength: 8, maxLength: 40 }),
    verdicts: fc.array(fc.constantFrom(...verdicts, ...deaths), { maxLength: 25 }),
  });

/** `crowded`: windows overflow, so that records are parked in groups. */
export const histories = {
  plain: historiesOf(weighted(...plain)),
  crowded: historiesOf(weighted(...crowded)),
  deadly: historiesOf(weighted(...crowded, ...decided), ['dead', 'dead', 'dead']),
};

/** Plays a history to its quiet end. */
export async function play({ steps, verdicts }: History, options: WorldOptions): Promise<RetryWorld> {
  const left = [...verdicts];
  const world = new RetryWorld(options, () => left.shift() ?? 'delivered');
  await world.start();
  for (const one of steps) await take(world, one);
  await world.quiet();
  return world;
}

async function take(world: RetryWorld, step: Step): Promise<void> {
  switch (step.do) {
    case 'append':
      for (let i = 0; i < step.count; i++) world.append('ab'.charAt(step.key), step.gap);
      return;
    case 'fetch':
      return world.fetch(step.max);
    case 'advance':
      await world.advance(step.ms);
      return world.fetch(10);
    case 'commits':
      world.commitFates.push(step.fate);
      return;
    case 'appends':
      world.appendFates.push(step.fate);
      return;
    case 'cut':
      await world.fetch(10);
      world.commitFates.unshift(step.fate);
      await world.advance(260);
      return world.crash();
    case 'cut-append':
      world.appendFates.unshift(step.fate);
      await world.fetch(4);
      await world.advance(100);
      return world.crash();
    case 'rejoin':
      return world.rejoin(step.how, step.fates);
    case 'crash':
      return world.crash();
    case 'session-lost':
      return world.loseSession();
    case 'hand-over':
      return world.handOver();
    case 'haunted':
      return world.haunt();
    case 'away-and-used':
      return world.awayAndUsed();
    case 'redrive':
      return world.redrive();
    case 'discard':
      return world.discard();
    default:
      return world.rebalance(step.do === 'kept');
  }
}
