import type { Entry, Lane, OwnedPartition, PairedPartitions } from '../owned-partition.js';
import type { ParkedCopy } from './parked-copy.js';
import { ParkedIndex } from './parked-index.js';
import { UncommittedFinishes } from './uncommitted-finishes.js';

export type Fence = 'cross' | 'lane';

/** Why a parked record may not be attempted yet. */
export type ChainBlock = 'main-unread' | 'main-unfinished' | 'uncommitted';

/**
 * One ownership of a partition number, in main and in retry: what is parked, what is finished and not committed, and the rules that
 * follow from it. Pure: it decides, `RetryChain` acts.
 */
export class RetryPair implements PairedPartitions {
  readonly index = new ParkedIndex();
  readonly finishes = new UncommittedFinishes();
  /** Copies that came while their lane was busy, by lane. */
  readonly late = new Map<string, ParkedCopy[]>();
  /** Lanes whose parked head waits until main was read further. */
  readonly waitForMain = new Set<string>();
  /** Lanes whose parked head waits behind a closed gate, by scope. */
  readonly waitForGate = new Map<string, Set<string>>();
  /** Lanes whose parked head is due and not in memory, because too much else is. */
  readonly waitForRoom = new Set<string>();
  /** Offsets of values that were dropped and are fetched again. */
  readonly wanted = new Set<number>();
  readonly redrives = new Set<string>();
  /** The scan ends here; undefined before the positions were read. */
  scanEnd: number | undefined;
  isScanned = false;
  /** Its positions are known and nobody else acts: retry is read. */
  isOpen = false;
  /** One past the highest acknowledged append. */
  appendedEnd = 0;

  constructor(
    readonly main: OwnedPartition,
    readonly retry: OwnedPartition,
  ) {
    main.pair = this;
    retry.pair = this;
  }

  get isOwned(): boolean {
    return this.main.isOwned && this.retry.isOwned;
  }

  /** Rule 5: it has a copy that is not committed as finished. */
  isGhost(origin: number, lane: string): boolean {
    if (this.index.ofOrigin(origin)) return true;
    return this.finishes.of(lane).some((finish) => finish.isRetry && finish.origin === origin);
  }

  /** Rule 6: an earlier record of the key is parked. */
  isFollower(origin: number, lane: string): boolean {
    const head = this.index.headOf(lane);
    return head !== undefined && head.origin < origin;
  }

  /** Rule 11, for a record of main. */
  isFenced(origin: number, lane: string, fence: Fence): boolean {
    return this.finishes.of(lane).some((finish) => finish.origin < origin && (finish.isRetry || fence === 'lane'));
  }

  /** Rules 10 and 11 for the head of the chain; undefined: it may be attempted. */
  chainBlock({ origin, lane }: ParkedCopy, fence: Fence): ChainBlock | undefined {
    if (this.isUnread(origin)) return 'main-unread';
    if (this.firstUnfinishedInMain(lane) <= origin) return 'main-unfinished';
    const isBlocked = this.finishes.of(lane).some((finish) => {
      if (!finish.isRetry) return finish.origin <= origin;
      return finish.origin === origin || (fence === 'lane' && finish.origin < origin);
    });
    return isBlocked ? 'uncommitted' : undefined;
  }

  /** Main was not read past the origin. */
  isUnread(origin: number): boolean {
    return (this.main.tracker?.knownEnd ?? 0) <= origin;
  }

  /** An attempt or an append of the lane is under way, in main or in retry: late copies wait. */
  isBusy(lane: string): boolean {
    return isActing(this.main.lanes.get(lane)) || isActing(this.retry.lanes.get(lane));
  }

  /** As `isBusy`, leaving out a lane that is between two attempts. */
  isBusyBesides({ owner, key }: Lane): boolean {
    return isActing((owner === this.main ? this.retry : this.main).lanes.get(key));
  }

  /** Room in the completion map of retry for so many more parked records. */
  canPark(count: number): boolean {
    const { tracker, appending } = this.retry;
    if (!tracker) return true;
    const more = appending + count;
    return tracker.canAdmit(Math.max(tracker.knownEnd, this.appendedEnd) + more - 1, more);
  }

  private firstUnfinishedInMain(lane: string): number {
    const inMain = this.main.lanes.get(lane);
    const first: Entry | undefined = inMain?.parking[0] ?? inMain?.head;
    return first ? originOfEntry(first) : Number.POSITIVE_INFINITY;
  }
}

/** Undefined without a retry topic. */
export const pairOf = ({ pair }: OwnedPartition): RetryPair | undefined =>
  pair instanceof RetryPair ? pair : undefined;

const isActing = (lane: Lane | undefined): boolean => lane?.state === 'running' || lane?.state === 'parking';

export const originOfEntry = (entry: Entry): number => entry.copy?.origin ?? Number(entry.record.offsetText);

export const laneNameOf = (entry: Entry): string => entry.copy?.lane ?? entry.lane.key;
