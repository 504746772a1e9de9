import type { Block } from './block.js';
import { joined } from './block.js';
import {
  type BlockCount,
  type OffsetRange,
  offsetsWithout,
  outcomeBlocks,
  type PartitionBounds,
  type TopicBounds,
  toldOffsets,
} from './ledger-queries.js';
import type { ChainPositions } from './ports.js';
import {
  committedEnd,
  doneSpans,
  type PartitionOffsets,
  type StandingRecord,
  type TopicRange,
  tenantOfKey,
} from './ports.js';
import type { Work } from './work.js';

export interface Coverage {
  /** Offsets that are retained. Of one tenant: those that are its own. */
  readonly total: number;
  /** What became of how many. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Finished by the group, and without a record. */
  readonly lost: number;
  readonly waiting: number;
  readonly blocks: readonly Block[];
}

/** Every offset that the group is done with has a record of the action, or waits in the retry topic; the others are waiting. */
export async function coverage(
  work: Work,
  chain: ChainPositions,
  countMore: (spans: readonly TopicBounds[]) => Promise<readonly BlockCount[]> = async () => [],
): Promise<Coverage> {
  const { ports, scope } = work;
  const { topic, action, offsets } = chain;
  const blocks = await work.blocks.of(topic, boundsOf(offsets), async (spans) => [
    ...(await outcomeBlocks(ports.query, { topic, action }, spans, scope.tenant)),
    ...(await countMore(spans)),
  ]);
  const outcomes = outcomesOf(blocks);
  const became = [...outcomes.values()].reduce((sum, count) => sum + count, 0);
  const incomplete = blocks.filter((block) => toldIn(block) < block.to - block.from);
  for (const block of incomplete) work.blocks.refuse(block);
  const lost = await tellLost(work, chain, incomplete);
  if (scope.tenant !== undefined) {
    const waiting = await waitingOfTenant(work, chain, scope.tenant);
    return { total: became + waiting + lost, outcomes, lost, waiting, blocks };
  }
  const total = offsets.reduce((sum, { low, high }) => sum + high - low, 0);
  // Taken from the outcomes and not counted by itself: the ledger grows between two questions, and what was waiting at the first would
  // be missing from the sum at the second.
  return { total, outcomes, lost, waiting: Math.max(0, total - lost - became), blocks };
}

/** An outcome is one word; what else is counted in a block has two. */
const isOutcome = ([what]: readonly [string, number]): boolean => !what.includes(' ');

const toldIn = ({ sums }: Block): number =>
  Object.entries(sums)
    .filter(isOutcome)
    .reduce((sum, [, count]) => sum + count, 0);

function outcomesOf(blocks: readonly Block[]): Map<string, number> {
  const outcomes = new Map<string, number>();
  for (const { sums } of blocks) {
    for (const [outcome, count] of Object.entries(sums).filter(isOutcome))
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
  }
  return outcomes;
}

async function tellLost(work: Work, chain: ChainPositions, blocks: readonly Block[]): Promise<number> {
  const { ports, scope, findings, standing } = work;
  let lost = 0;
  for (const offsets of chain.offsets) {
    const { partition } = offsets;
    const except = standing
      .parkedOf(chain.topic)
      .filter(({ origin }) => origin.partition === partition)
      .map(({ origin }) => origin.offset);
    const doubtful = joined(blocks.filter((block) => block.partition === partition));
    for (const span of overlaps(doubtful, doneSpans(offsets))) {
      const missing = await offsetsWithout(ports.query, chain, { partition, ...span }, { except });
      const theirs = scope.tenant === undefined ? 0 : await ofOthers(work, chain.topic, partition, missing.ranges);
      lost += missing.count - theirs;
      if (missing.count === theirs) continue;
      for (const range of missing.ranges) {
        findings.add(
          chain.topic,
          `${named(chain.topic, partition, range)} committed by the ${chain.stage} without a record of what became of it`,
        );
      }
    }
  }
  return lost;
}

function overlaps(some: readonly { from: number; to: number }[], others: readonly { from: number; to: number }[]) {
  return some.flatMap((one) =>
    others
      .map((other) => ({ from: Math.max(one.from, other.from), to: Math.min(one.to, other.to) }))
      .filter(({ from, to }) => from < to),
  );
}

/** How many of these lost records surely are of other tenants. One that is not retained any more may be of any. */
async function ofOthers(
  { ports, scope }: Work,
  topic: string,
  partition: number,
  ranges: readonly OffsetRange[],
): Promise<number> {
  let count = 0;
  const wanted: TopicRange[] = ranges.map(({ first, last }) => ({ topic, partition, from: first, to: last + 1 }));
  if (wanted.length === 0) return 0;
  for await (const { key } of ports.read(wanted)) if (tenantOfKey(key) !== scope.tenant) count += 1;
  return count;
}

async function waitingOfTenant(work: Work, chain: ChainPositions, tenant: string): Promise<number> {
  const { ports, standing, findings } = work;
  if (!standing.isComplete(chain.topic)) {
    findings.add(chain.topic, `so many records wait that those of ${tenant} cannot be told from the others: prove all`);
    return 0;
  }
  const own = mainOf(standing.of(chain.topic)).filter(({ key }) => tenantOfKey(key) === tenant);
  const told = await toldOffsets(
    ports.query,
    chain,
    own.map(({ origin }) => origin),
  );
  return own.filter(({ origin }) => !told.has(`${origin.partition}/${origin.offset}`)).length;
}

/** Each record once, and none that only holds a key. */
function mainOf(records: readonly StandingRecord[]): StandingRecord[] {
  const byOrigin = new Map<string, StandingRecord>();
  for (const record of records) {
    if (record.holdsFor === undefined) byOrigin.set(`${record.origin.partition}/${record.origin.offset}`, record);
  }
  return [...byOrigin.values()];
}

export const named = (topic: string, partition: number, { first, last }: OffsetRange): string =>
  first === last
    ? `${topic} partition ${partition} offset ${first}:`
    : `${topic} partition ${partition} offsets ${first} to ${last}:`;

const committedBounds = (offsets: readonly PartitionOffsets[]): PartitionBounds[] =>
  offsets.map((one) => ({ partition: one.partition, from: one.low, to: committedEnd(one) }));

/** How far each partition was committed, by number. Of one event, a partition comes once for each of its offsets. */
export function committedTo(offsets: readonly PartitionOffsets[]): Map<number, number> {
  const to = new Map<number, number>();
  for (const one of committedBounds(offsets)) to.set(one.partition, Math.max(to.get(one.partition) ?? 0, one.to));
  return to;
}

export const boundsOf = (offsets: readonly PartitionOffsets[]): PartitionBounds[] =>
  offsets.map(({ partition, low, high }) => ({ partition, from: low, to: high }));
