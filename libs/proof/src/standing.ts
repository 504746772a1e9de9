import { offsetsWithout } from './ledger-queries.js';
import {
  type ChainPositions,
  doneSpans,
  type OffsetSpan,
  type PartitionOffsets,
  type ProofPorts,
  type StandingRecord,
  type TopicRange,
} from './ports.js';

/** More than these are not read one by one; they are counted. */
export const mostStanding = 50_000;
const mostRanges = 5_000;

/** What stands in the topics of a proof and is not finished. */
export class Standing {
  private constructor(
    private readonly byTopic: ReadonlyMap<string, readonly StandingRecord[]>,
    private readonly parkedByTopic: ReadonlyMap<string, readonly StandingRecord[]>,
    /** Topics of which not everything was read. */
    private readonly incomplete: ReadonlySet<string>,
  ) {}

  static async read(
    ports: Pick<ProofPorts, 'query' | 'read'>,
    chains: readonly ChainPositions[],
    parked: readonly StandingRecord[],
  ): Promise<Standing> {
    const parkedByTopic = Map.groupBy(parked, ({ origin }) => origin.topic);
    const incomplete = new Set<string>();
    const ranges: TopicRange[] = [];
    let room = mostStanding;
    for (const chain of chains) {
      const own = await unfinishedRanges(ports, chain, parkedByTopic.get(chain.topic) ?? []);
      const records = own.ranges.reduce((sum, { from, to }) => sum + to - from, 0);
      if (own.isCut || records > room) {
        incomplete.add(chain.topic);
        continue;
      }
      room -= records;
      ranges.push(...own.ranges);
    }
    const byTopic = new Map<string, StandingRecord[]>();
    const add = (record: StandingRecord) => {
      const topic = record.origin.topic;
      const list = byTopic.get(topic) ?? [];
      list.push(record);
      byTopic.set(topic, list);
    };
    for (const record of parked) add(record);
    if (ranges.length > 0) for await (const record of ports.read(ranges)) add(record);
    return new Standing(byTopic, parkedByTopic, incomplete);
  }

  /** Of a topic and its retry topic; also the copies that only hold a key. */
  of(topic: string): readonly StandingRecord[] {
    return this.byTopic.get(topic) ?? [];
  }

  *all(): Generator<StandingRecord, void> {
    for (const records of this.byTopic.values()) yield* records;
  }

  parkedOf(topic: string): readonly StandingRecord[] {
    return this.parkedByTopic.get(topic) ?? [];
  }

  isComplete(topic: string): boolean {
    return !this.incomplete.has(topic);
  }
}

/** Offsets of the main topic that the group is not done with and that have no record yet. */
async function unfinishedRanges(
  { query }: Pick<ProofPorts, 'query'>,
  chain: ChainPositions,
  parked: readonly StandingRecord[],
): Promise<{ ranges: TopicRange[]; isCut: boolean }> {
  const ranges: TopicRange[] = [];
  let isCut = false;
  for (const offsets of chain.offsets) {
    const { partition } = offsets;
    const except = parked.filter(({ origin }) => origin.partition === partition).map(({ origin }) => origin.offset);
    for (const span of gapsBetween(doneSpans(offsets), offsets)) {
      const missing = await offsetsWithout(query, chain, { partition, ...span }, { except, most: mostRanges });
      if (missing.ranges.length >= mostRanges) isCut = true;
      for (const { first, last } of missing.ranges)
        ranges.push({ topic: chain.topic, partition, from: first, to: last + 1 });
    }
  }
  return { ranges, isCut };
}

function gapsBetween(done: readonly OffsetSpan[], { low, high }: PartitionOffsets): OffsetSpan[] {
  const gaps: OffsetSpan[] = [];
  let at = low;
  for (const { from, to } of done) {
    if (from > at) gaps.push({ from: at, to: from });
    at = Math.max(at, to);
  }
  if (at < high) gaps.push({ from: at, to: high });
  return gaps;
}
