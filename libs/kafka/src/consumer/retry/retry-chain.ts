import type { Failure } from '@tributary/domain';
import type { Clock } from '../../connection/clock.js';
import type { Logger } from '../../connection/logger.js';
import type { RecordProducer } from '../../producer/record-producer.js';
import type { Admission } from '../admission.js';
import type { Committer } from '../committer.js';
import type { ConsumerDriver, FetchedBatch } from '../consumer-driver.js';
import type { DeadLetters } from '../dead-letters.js';
import type { FetchedRecord } from '../fetched-record.js';
import type { KeyScheduler } from '../key-scheduler.js';
import type { Entry, OwnedPartition } from '../owned-partition.js';
import type { PauseRegistry } from '../pause-registry.js';
import type { ConsumeOptions, RetryOptions } from '../runtime-options.js';
import { concerns, rootOf } from '../scopes.js';
import { Appender } from './appender.js';
import { ChainHeads } from './chain-heads.js';
import { CopyIntake } from './copy-intake.js';
import { FinishBook } from './finish-book.js';
import type { ParkedCopy } from './parked-copy.js';
import { ParkedValues } from './parked-values.js';
import { Parking } from './parking.js';
import { type Fence, laneNameOf, originOfEntry, pairOf, type RetryPair } from './retry-pair.js';
import type { PlantedBug } from './retry-rules.js';

export interface RetryChainParts {
  readonly mainTopic: string;
  readonly retries: RetryOptions;
  readonly options: Pick<ConsumeOptions, 'group'> & {
    readonly ordering: 'key' | 'none';
    readonly maxWindowRecords: number;
  };
  readonly driver: Pick<ConsumerDriver, 'seek'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly producer: Pick<RecordProducer, 'send'>;
  readonly scheduler: KeyScheduler;
  readonly pauses: PauseRegistry;
  readonly admission: Admission;
  readonly committer: Committer;
  readonly deadLetters: DeadLetters;
  /** There is something new to commit. */
  readonly noteProgress: (owner: OwnedPartition) => void;
  readonly noteIdle: () => void;
  /** False: the group may have given the partition away. */
  readonly mayAct: () => boolean;
  readonly plantedBug?: PlantedBug;
}

/** Executes the rules of ordered, non-blocking retry; `RetryPair` holds what they are decided by. */
export class RetryChain {
  private readonly appender: Appender;
  private readonly book: FinishBook;
  private readonly values: ParkedValues;
  private readonly heads: ChainHeads;
  private readonly intake: CopyIntake;
  private readonly parking: Parking;
  private readonly isOrdered: boolean;
  private readonly fence: Fence;

  constructor(private readonly parts: RetryChainParts) {
    const { group, ordering, maxWindowRecords } = parts.options;
    const { fence } = parts.retries;
    const isOrdered = ordering === 'key';
    const { retentionMs } = parts.retries.topic;
    const shared = { ...parts, group, retentionMs, maxWindowRecords, fence, isOrdered, plantedBug: parts.plantedBug };
    this.isOrdered = isOrdered;
    this.fence = fence;
    this.appender = new Appender(parts);
    this.book = new FinishBook(shared);
    this.values = new ParkedValues({
      ...shared,
      book: this.book,
      onArrived: (pair, { lane }) => this.heads.refresh(pair, lane),
      onVanished: (pair, { lane }) => this.moved(pair, lane),
    });
    this.heads = new ChainHeads({
      ...shared,
      values: this.values,
      onReleased: (pair, copy) => this.endCopy(pair, copy),
    });
    const { book, heads, values, appender } = this;
    this.intake = new CopyIntake({ ...shared, book, heads });
    const moved = (pair: RetryPair | undefined, lane: string) => this.moved(pair, lane);
    this.parking = new Parking({ ...shared, book, heads, values, appender, moved });
  }

  stop(): void {
    this.heads.stop();
  }

  /** Appends that are not acknowledged. */
  get appending(): number {
    return this.appender.running;
  }

  isLong(delayMs: number): boolean {
    return delayMs > this.parts.retries.longerThanMs;
  }

  // ---- main

  /** Rule 5. Finishes the record when it is a ghost. */
  dropGhost(owner: OwnedPartition, record: FetchedRecord, lane: string, position: number): boolean {
    const pair = pairOf(owner);
    if (!pair || !this.isOrdered) return false;
    const origin = Number(record.offsetText);
    if (!this.isGhost(pair, origin, lane)) return false;
    this.book.finishInMain(pair, lane, origin, position);
    return true;
  }

  /** Main was read further, so heads that waited for it may go. */
  mainWasRead(pair: RetryPair): void {
    for (const lane of takeAll(pair.waitForMain)) this.heads.refresh(pair, lane);
  }

  permit(entry: Entry): 'go' | 'wait' | 'drop' {
    const pair = pairOf(entry.owner);
    if (!pair) return 'go';
    return entry.copy ? this.permitCopy(pair, entry.copy) : this.permitMain(pair, entry);
  }

  /** The lane is between two attempts: the record is finished and leaves it. Call before the scheduler moves on. */
  noteFinished(entry: Entry): void {
    const pair = pairOf(entry.owner);
    if (!pair) return;
    if (entry.copy) this.book.finishCopy(pair, entry.copy);
    else this.book.noteFinish(pair, entry.lane.key, originOfEntry(entry), false);
    if (!pair.isBusyBesides(entry.lane)) this.intake.takeLate(pair, laneNameOf(entry));
    if (this.fence === 'lane' && entry.next) this.parts.committer.kick();
  }

  /** The lane moved on: what waited for it may go. */
  moved(pair: RetryPair | undefined, lane: string): void {
    if (!pair?.isOwned) return;
    if (!pair.isBusy(lane)) this.intake.takeLate(pair, lane);
    const inMain = pair.main.lanes.get(lane);
    if (inMain) this.parts.scheduler.wake(inMain);
    this.heads.refresh(pair, lane);
    this.feedStarved(pair);
    this.makeRoom(pair);
    this.parts.scheduler.dispatch();
  }

  onCommitted(owner: OwnedPartition, version: number): void {
    const pair = pairOf(owner);
    if (!pair?.isOwned) return;
    for (const lane of pair.finishes.acknowledge(owner === pair.retry, version)) this.moved(pair, lane);
  }

  onOpen(pairs: Iterable<RetryPair>, scope: string): void {
    for (const pair of pairs) {
      for (const waitedFor of [...pair.waitForGate.keys()].filter((name) => concerns(scope, name))) {
        const lanes = pair.waitForGate.get(waitedFor);
        pair.waitForGate.delete(waitedFor);
        for (const lane of lanes ?? []) this.heads.refresh(pair, lane);
      }
    }
  }

  /** Offers one parked lane of the scope, to find out whether the destination works again. False: none waits. */
  bringOne(pairs: Iterable<RetryPair>, scope: string): boolean {
    for (const pair of pairs) {
      for (const [waitedFor, lanes] of pair.waitForGate) {
        const [lane] = concerns(scope, waitedFor) ? lanes : [];
        if (lane === undefined) continue;
        lanes.delete(lane);
        this.heads.refresh(pair, lane);
        return true;
      }
    }
    return false;
  }

  // ---- parking

  /** Rule 8: a record whose attempt is over leaves main. */
  park(entry: Entry, waitMs: number, failure: Failure, isCharged: boolean): void {
    this.parking.park(entry, waitMs, failure, isCharged);
  }

  /** Whether the key of a record that dies must stand still. */
  holdsKey({ record, lane, copy }: Entry, failure: Failure): boolean {
    return this.mayHold(copy?.scope ?? this.parts.admission.scopeOf(record, lane.key), failure);
  }

  /** The record is in the dead-letter topic, and its key stands still until a person redrives or discards it. */
  hold(entry: Entry, failure: Failure, deadLetter: string): void {
    void this.parking.hold(entry, failure, deadLetter);
  }

  /** Rule 12, a short wait: the copy stays where it is. */
  waitInPlace(entry: Entry, delayMs: number): void {
    this.parking.waitInPlace(entry, delayMs);
  }

  /** A full window is emptied from lanes that cannot move. */
  makeRoom(pair: RetryPair): void {
    this.parking.makeRoom(pair);
    this.parking.freeWatermark(pair);
  }

  /** Call now and then. */
  keepHouse(pair: RetryPair): void {
    this.endHolds(pair);
    this.parking.renew(pair);
    this.makeRoom(pair);
  }

  /** Their account does not hold keys any more. */
  private endHolds(pair: RetryPair): void {
    if (!pair.isScanned) return;
    for (const copy of pair.index.holds()) {
      // It is being appended again, or not fetched back yet: the next time.
      if (this.mayHold(copy.scope) || pair.isBusy(copy.lane) || copy.position < 0) continue;
      if (this.heads.mayEnd(pair, copy)) this.endCopy(pair, copy);
    }
  }

  private endCopy(pair: RetryPair, copy: ParkedCopy): void {
    this.book.finishCopy(pair, copy);
    this.moved(pair, copy.lane);
  }

  private mayHold(scope: string, failure?: Failure): boolean {
    const { onDead } = this.parts.retries;
    return (typeof onDead === 'function' ? onDead(rootOf(scope), failure) : onDead) === 'hold';
  }

  // ---- retry

  onRetryBatch(pair: RetryPair, batch: FetchedBatch): number {
    const { admission, noteProgress } = this.parts;
    const { retry } = pair;
    const tracker = admission.trackerOf(retry, batch);
    if (!tracker) return batch.fetchedFrom;
    this.values.takeWanted(pair, batch);
    const before = tracker.knownEnd;
    const end = admission.admitEach(retry, tracker, batch, (message, position) =>
      this.intake.meet(pair, message, position),
    );
    if (tracker.knownEnd !== before) noteProgress(retry);
    if (this.parts.pauses.has(retry, 'map')) this.parking.relieve(pair);
    this.values.keepFetching(pair);
    return this.values.nextFetch(pair, batch, end);
  }

  /** Where the next fetch of retry starts after a rejoin. */
  fetchAgainFrom(pair: RetryPair): number {
    return this.values.fetchAgainFrom(pair);
  }

  /** Everything that was parked before the partition was taken is known. */
  scanned(pair: RetryPair): void {
    pair.isScanned = true;
    for (const lane of [...pair.index.laneKeys()]) this.heads.refresh(pair, lane);
    for (const lane of pair.main.lanes.values()) this.parts.scheduler.wake(lane);
    this.parts.scheduler.dispatch();
  }

  /** No more than there is room for: looking at each of ten thousand after each record would cost more than delivering them. */
  private feedStarved(pair: RetryPair): void {
    for (const starved of pair.waitForRoom) {
      if (!this.values.hasRoom(pair)) return;
      pair.waitForRoom.delete(starved);
      this.heads.refresh(pair, starved);
    }
  }

  // ---- permits

  private permitMain(pair: RetryPair, entry: Entry): 'go' | 'wait' {
    if (!this.isOrdered) return 'go';
    const { key } = entry.lane;
    const origin = originOfEntry(entry);
    if (pair.isFollower(origin, key)) {
      if (this.parts.pauses.has(pair.main, 'window')) queueMicrotask(() => pair.isOwned && this.makeRoom(pair));
      return 'wait';
    }
    if (this.parts.plantedBug === 'no-fence' || !pair.isFenced(origin, key, this.fence)) return 'go';
    this.parts.committer.kick();
    return 'wait';
  }

  /** Only the head that `refresh` chose is ever in a lane; what changed since then makes it be chosen again. */
  private permitCopy(pair: RetryPair, copy: ParkedCopy): 'go' | 'drop' {
    if (this.heads.mayGo(pair, copy)) return 'go';
    queueMicrotask(() => this.moved(pair, copy.lane));
    return 'drop';
  }

  private isGhost(pair: RetryPair, origin: number, lane: string): boolean {
    const { plantedBug } = this.parts;
    if (plantedBug === 'no-ghosts') return false;
    if (plantedBug === 'drop-below' && (pair.index.highestOf(lane)?.origin ?? -1) > origin) return true;
    return pair.isGhost(origin, lane);
  }
}

function takeAll<T>(set: Set<T>): T[] {
  const all = [...set];
  set.clear();
  return all;
}
