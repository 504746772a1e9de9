import type { Clock } from '../../connection/clock.js';
import { decodeCompletionMap } from '../completion-map.js';
import { type CommittedOffset, partitionName, type TopicOffsets } from '../consumer-driver.js';
import type { OwnedPartition } from '../owned-partition.js';
import { PartitionTracker } from '../partition-tracker.js';
import type { TakeoverTimes } from '../runtime-options.js';
import type { RetryPair } from './retry-pair.js';

/** Main and retry of a number must belong to one member: the parked record is the lock of its key. */
export class SeparatedPartitions extends Error {
  constructor(at: string, missing: string) {
    super(
      `${at} was assigned without ${missing}: every member of the group must run this release, whose assigner keeps both together`,
    );
    this.name = 'SeparatedPartitions';
  }
}

/** What the group committed for one number. */
export interface PairPositions {
  readonly main: CommittedOffset | undefined;
  readonly retry: CommittedOffset | undefined;
}

/** Rule 2: from when on the positions of a pair may be believed. */
export class TakeoverWait {
  private readonly sinceMs: number;
  private readonly untilMs: number;

  constructor(clock: Clock, { attemptMs, appendMs, marginMs }: TakeoverTimes) {
    this.sinceMs = clock.now();
    this.untilMs = this.sinceMs + attemptMs + appendMs + marginMs;
  }

  elapsedMs(nowMs: number): number {
    return Math.round(nowMs - this.sinceMs);
  }

  /** @param readAtMs when the positions were asked for. */
  isOver(readAtMs: number, positions: PairPositions): boolean {
    return readAtMs >= this.untilMs || isUnclaimed(positions);
  }

  remainingMs(nowMs: number): number {
    return Math.max(0, this.untilMs - nowMs);
  }
}

/** Nobody acts, says the last commit: there is none, or it carries the mark of a clean end. */
export const isUnclaimed = (positions: PairPositions): boolean => isFresh(positions) || isDrained(positions);

const isFresh = ({ main, retry }: PairPositions): boolean => main?.offset === undefined && retry?.offset === undefined;

/** The former owner stopped, finished its work and committed. A map that cannot be read says no such thing. */
function isDrained({ main, retry }: PairPositions): boolean {
  return [main, retry].every((at) => {
    if (at?.offset === undefined) return at === retry;
    try {
      return decodeCompletionMap(at.offset, at.metadata).drained;
    } catch {
      return false;
    }
  });
}

export function positionsOf(pair: RetryPair, committed: ReadonlyMap<string, CommittedOffset>): PairPositions {
  return { main: committed.get(partitionName(pair.main)), retry: committed.get(partitionName(pair.retry)) };
}

/**
 * Sets both trackers and the end of the scan. The ends are read after the positions.
 * @param ignoresMaps a planted bug.
 * @throws UnreadableCompletionMap
 */
export function restorePair(
  pair: RetryPair,
  { main, retry }: PairPositions,
  ends: readonly TopicOffsets[],
  ignoresMaps = false,
): void {
  const rangeOf = (at: OwnedPartition) => ends.find((one) => partitionName(one) === partitionName(at));
  const mainTracker = restored(main, rangeOf(pair.main), ignoresMaps);
  const retryRange = rangeOf(pair.retry);
  const retryTracker = restored(retry, retryRange, ignoresMaps);
  pair.main.tracker = mainTracker;
  pair.retry.tracker = retryTracker;
  pair.scanEnd = retryRange?.high ?? 0;
}

function restored(
  committed: CommittedOffset | undefined,
  range: TopicOffsets | undefined,
  ignoresMap: boolean,
): PartitionTracker {
  const low = range?.low ?? 0;
  if (committed?.offset === undefined) return new PartitionTracker(low);
  const { finished } = decodeCompletionMap(committed.offset, committed.metadata);
  const tracker = new PartitionTracker(committed.offset, ignoresMap ? [] : finished);
  // Below it nothing exists any more, so it need not be waited for.
  tracker.noteFetchedUpTo(low);
  return tracker;
}
