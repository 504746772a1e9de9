import { setMaxListeners } from 'node:events';
import type { TopicPartition } from './consumer-driver.js';
import type { FetchedRecord } from './fetched-record.js';
import type { PartitionTracker } from './partition-tracker.js';
import { ReadyLanes } from './ready-lanes.js';
import type { ParkedCopy } from './retry/parked-copy.js';

/** One record of several that are attempted together. */
export interface Member {
  readonly record: FetchedRecord;
  /** The tracker's. */
  readonly position: number;
}

/** One record on its way through the scheduler, or the first of several. */
export interface Entry {
  readonly owner: OwnedPartition;
  readonly record: FetchedRecord;
  /** The tracker's. */
  readonly position: number;
  readonly bytes: number;
  lane: Lane;
  /** Behind it in the lane. */
  next: Entry | undefined;
  /** Attempts charged so far. */
  attempts: number;
  firstFailureMs: number | undefined;
  /** Since when it waits at a closed gate: such time is none of trying. */
  gatedSinceMs: number | undefined;
  /** Times in a row that the handler's infrastructure failed. */
  faults: number;
  /** The parked copy that this is an attempt of; undefined for a record of the main topic. */
  copy: ParkedCopy | undefined;
  /** All that are attempted together, this one first; undefined: it is attempted alone. */
  readonly members: readonly Member[] | undefined;
}

/**
 * `queued`: its head waits for others of its account to end; nothing is wrong, and it is parked only when that takes long and others need the room. `blocked`: its head waits for an earlier record of the key elsewhere, or for a commit. `parking`: records of it are being
 * appended to the retry topic.
 */
export type LaneState = 'idle' | 'ready' | 'running' | 'held' | 'gated' | 'queued' | 'blocked' | 'parking';

/** Records that go one after the other. */
export interface Lane {
  readonly owner: OwnedPartition;
  readonly key: string;
  head: Entry | undefined;
  tail: Entry | undefined;
  state: LaneState;
  /** Epoch milliseconds since which the head waits. */
  heldSinceMs: number;
  heldUntilMs: number;
  reason: string;
  nextReady: Lane | undefined;
  /** From head to tail. */
  records: number;
  /** Taken out to be parked, not acknowledged yet; ascending. */
  parking: Entry[];
}

/** Main and retry of one number, taken together. */
export interface PairedPartitions {
  readonly main: OwnedPartition;
  readonly retry: OwnedPartition;
}

/** Enough to keep an instance busy; what is read before it is needed costs memory, and time when the instance starts. */
const firstPrefetchRecords = 500;

/** One ownership of one partition. When the partition is lost this object is dead for good: late results are ignored. */
export class OwnedPartition implements TopicPartition {
  isOwned = true;
  /** Undefined until the committed position is known. */
  tracker: PartitionTracker | undefined;
  /** Nothing was committed: the first batch says where the partition starts. */
  isFresh = false;
  readonly lanes = new Map<string, Lane>();
  /** Lanes that were gated or blocked when last seen: a full window must not look at every lane to find them. */
  readonly stuckLanes = new Set<Lane>();
  readonly ready = new ReadyLanes<Lane>();
  isQueued = false;
  inFlight = 0;
  /** Appends to the retry topic that are not acknowledged. */
  appending = 0;
  appendingBytes = 0;
  /** With a retry topic: main and retry of one partition number. */
  pair: PairedPartitions | undefined;
  /** Records above which it is not fetched although the window has room; rises when there is nothing to do. */
  prefetchRecords = firstPrefetchRecords;
  windowRecords = 0;
  windowBytes = 0;
  /** Rises when there is something new to commit. */
  version = 0;
  committedVersion = 0;
  private readonly abortion = new AbortController();

  constructor(
    readonly topic: string,
    readonly partition: number,
  ) {
    // One signal serves all attempts of the partition: many listeners are no leak.
    setMaxListeners(0, this.abortion.signal);
  }

  get signal(): AbortSignal {
    return this.abortion.signal;
  }

  /** The partition is gone: attempts in flight are told, their results no longer count. */
  lose(reason: Error): void {
    this.isOwned = false;
    // Timers and gates may still know the lanes; the records must not stay in memory with them.
    for (const lane of this.lanes.values()) lane.head = undefined;
    this.lanes.clear();
    this.stuckLanes.clear();
    this.ready.clear();
    this.abortion.abort(reason);
  }

  abort(reason: Error): void {
    this.abortion.abort(reason);
  }
}

/** The lane of that key, made when there is none. */
export function laneIn(owner: OwnedPartition, key: string): Lane {
  const known = owner.lanes.get(key);
  if (known) return known;
  const lane: Lane = {
    owner,
    key,
    head: undefined,
    tail: undefined,
    state: 'idle',
    heldSinceMs: 0,
    heldUntilMs: 0,
    reason: '',
    nextReady: undefined,
    records: 0,
    parking: [],
  };
  owner.lanes.set(key, lane);
  return lane;
}
