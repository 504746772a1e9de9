import type { Clock } from '../../connection/clock.js';
import { bytesOf, entryOf } from '../admission.js';
import type { Committer } from '../committer.js';
import type { FetchedMessage } from '../consumer-driver.js';
import { FetchedRecord } from '../fetched-record.js';
import type { KeyScheduler } from '../key-scheduler.js';
import { type Entry, type Lane, laneIn } from '../owned-partition.js';
import { TimerHeap } from '../timer-heap.js';
import { isHolding, isRelease, type ParkedCopy } from './parked-copy.js';
import type { ParkedValues } from './parked-values.js';
import { chainBlockOf } from './planted-gates.js';
import type { ChainBlock, Fence, RetryPair } from './retry-pair.js';
import type { PlantedBug } from './retry-rules.js';

export interface ChainHeadsParts {
  readonly clock: Clock;
  readonly scheduler: KeyScheduler;
  readonly committer: Pick<Committer, 'kick'>;
  readonly values: ParkedValues;
  /** A person gave the record up, and nothing of it is left that could be attempted. */
  readonly onReleased: (pair: RetryPair, copy: ParkedCopy) => void;
  readonly fence: Fence;
  readonly isOrdered: boolean;
  readonly maxWindowRecords: number;
  readonly plantedBug: PlantedBug | undefined;
}

/** Lanes that one account may have waiting in memory for a place, out of the retry topic, however long that takes. */
const queuePlacesIn = (maxWindowRecords: number): number => Math.max(1, Math.floor(maxWindowRecords / 32));

/** Offers the head of each parked lane to the scheduler when its time has come, and notes what the others wait for. */
export class ChainHeads {
  private readonly timers: TimerHeap;

  constructor(private readonly parts: ChainHeadsParts) {
    this.timers = new TimerHeap(parts.clock);
  }

  stop(): void {
    this.timers.clear();
  }

  /** Offers the head of a parked lane to the scheduler, or notes what it waits for. */
  refresh(pair: RetryPair, laneName: string): void {
    const copy = pair.index.headOf(laneName);
    const active = pair.retry.lanes.get(laneName);
    if (active && (active.state === 'running' || active.state === 'parking')) return;
    if (active && active.head?.copy !== copy) this.parts.scheduler.abandon(active);
    if (!copy || !pair.isScanned || pair.retry.lanes.has(laneName)) return;
    if (isRelease(copy)) {
      if (this.mayEnd(pair, copy)) this.parts.onReleased(pair, copy);
      return;
    }
    if (this.mustWait(pair, copy)) return;
    if (!copy.message) {
      this.parts.values.want(pair, copy);
      return;
    }
    this.offer(pair, copy, copy.message);
  }

  mayGo(pair: RetryPair, copy: ParkedCopy): boolean {
    if (pair.index.headOf(copy.lane) !== copy) return false;
    if (isHolding(copy) || copy.dueMs > this.parts.clock.now()) return false;
    if (this.parts.scheduler.isShut(copy.scope)) return false;
    return !this.parts.isOrdered || this.blockOf(pair, copy) === undefined;
  }

  /**
   * Whether a copy may be finished without an attempt: as for an attempt, what main has of it must be finished and committed, or the next
   * owner would attempt that.
   */
  mayEnd(pair: RetryPair, copy: ParkedCopy): boolean {
    return pair.index.headOf(copy.lane) === copy && !this.isBlocked(pair, copy);
  }

  /** A lane of one copy that is not offered to the scheduler. */
  standingLane(pair: RetryPair, copy: ParkedCopy, message: FetchedMessage): Lane {
    const active = pair.retry.lanes.get(copy.lane);
    if (active) this.parts.scheduler.abandon(active);
    const lane = laneIn(pair.retry, copy.lane);
    lane.state = 'parking';
    lane.parking = [this.chainEntry(pair, lane, copy, message)];
    return lane;
  }

  private blockOf(pair: RetryPair, copy: ParkedCopy): ChainBlock | undefined {
    return chainBlockOf(pair, copy, this.parts.fence, this.parts.plantedBug);
  }

  private mustWait(pair: RetryPair, copy: ParkedCopy): boolean {
    const { clock, scheduler } = this.parts;
    // Only what a person decides ends it.
    if (isHolding(copy)) return true;
    if (copy.dueMs > clock.now()) {
      this.wakeAt(pair, copy);
      return true;
    }
    const isShut = scheduler.isShut(copy.scope);
    if (isShut || !this.hasPlaceInQueue(pair, copy)) {
      if (isShut) copy.gatedSinceMs ??= clock.now();
      const lanes = pair.waitForGate.get(copy.scope) ?? new Set();
      pair.waitForGate.set(copy.scope, lanes.add(copy.lane));
      return true;
    }
    return this.isBlocked(pair, copy);
  }

  /** One account that is slow must not fill the memory for what is parked. */
  private hasPlaceInQueue(pair: RetryPair, { scope }: ParkedCopy): boolean {
    const places = queuePlacesIn(this.parts.maxWindowRecords);
    return this.parts.scheduler.queuedAt(scope, pair.retry, places) < places;
  }

  private isBlocked(pair: RetryPair, copy: ParkedCopy): boolean {
    const block = this.parts.isOrdered ? this.blockOf(pair, copy) : undefined;
    if (block === 'main-unread') pair.waitForMain.add(copy.lane);
    if (block === 'uncommitted') this.parts.committer.kick();
    return block !== undefined;
  }

  private wakeAt(pair: RetryPair, copy: ParkedCopy): void {
    this.timers.at(copy.dueMs, () => {
      if (!pair.isOwned) return;
      this.refresh(pair, copy.lane);
      this.parts.scheduler.dispatch();
    });
  }

  private offer(pair: RetryPair, copy: ParkedCopy, message: FetchedMessage): void {
    const lane = laneIn(pair.retry, copy.lane);
    this.parts.scheduler.add(this.chainEntry(pair, lane, copy, message));
  }

  private chainEntry(pair: RetryPair, lane: Lane, copy: ParkedCopy, message: FetchedMessage): Entry {
    const record = new FetchedRecord(pair.retry.topic, pair.retry.partition, message);
    const entry = entryOf(lane, record, copy.position, bytesOf(message));
    const { attempts, firstFailureMs, gatedSinceMs } = copy;
    copy.gatedSinceMs = undefined;
    return Object.assign(entry, { copy, attempts, firstFailureMs, gatedSinceMs });
  }
}
