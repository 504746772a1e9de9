import type { Failure } from '@tributary/domain';
import type { Clock } from '../../connection/clock.js';
import type { Logger } from '../../connection/logger.js';
import type { RecordProducer } from '../../producer/record-producer.js';
import { type Admission, bytesOf, entryOf } from '../admission.js';
import type { Committer } from '../committer.js';
import type { ConsumerDriver, FetchedBatch, FetchedMessage } from '../consumer-driver.js';
import type { DeadLetters } from '../dead-letters.js';
import { FetchedRecord } from '../fetched-record.js';
import type { KeyScheduler } from '../key-scheduler.js';
import { type Entry, type Lane, laneIn, type OwnedPartition } from '../owned-partition.js';
import type { PauseRegistry } from '../pause-registry.js';
import type { ConsumeOptions, RetryOptions } from '../runtime-options.js';
import { concerns } from '../scopes.js';
import { TimerHeap } from '../timer-heap.js';
import { Appender } from './appender.js';
import { type ParkedCopy, type ParkFacts, readCopy } from './parked-copy.js';
import { type Fence, originOfEntry, pairOf, type RetryPair } from './retry-pair.js';
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
  readonly plantedBug?: PlantedBug;
}

/** A value is kept in memory when its turn comes soon; otherwise it is fetched again when it is due. */
const keepValueMs = 60_000;
/** Appends of one lane at the same time. */
const parkedAtOnce = 100;
const redrivesRemembered = 10_000;

/** Executes the rules of ordered, non-blocking retry; `RetryPair` holds what they are decided by. */
export class RetryChain {
  private readonly timers: TimerHeap;
  private readonly appender: Appender;
  private readonly isOrdered: boolean;
  private readonly fence: Fence;

  constructor(private readonly parts: RetryChainParts) {
    this.timers = new TimerHeap(parts.clock);
    this.appender = new Appender(parts);
    this.isOrdered = parts.options.ordering === 'key';
    this.fence = parts.retries.fence;
  }

  stop(): void {
    this.timers.clear();
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
    this.finishInMain(pair, lane, origin, position);
    return true;
  }

  /** Main was read further, so heads that waited for it may go. */
  mainWasRead(pair: RetryPair): void {
    for (const lane of takeAll(pair.waitForMain)) this.refresh(pair, lane);
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
    if (entry.copy) this.finishCopy(pair, entry.copy);
    else this.noteFinish(pair, entry.lane.key, originOfEntry(entry), false);
    if (!pair.isBusyBesides(entry.lane)) this.takeLate(pair, laneNameOf(entry));
    if (this.fence === 'lane' && entry.next) this.parts.committer.kick();
  }

  /** The lane moved on: what waited for it may go. */
  moved(pair: RetryPair | undefined, lane: string): void {
    if (!pair?.isOwned) return;
    if (!pair.isBusy(lane)) this.takeLate(pair, lane);
    const inMain = pair.main.lanes.get(lane);
    if (inMain) this.parts.scheduler.wake(inMain);
    this.refresh(pair, lane);
    if (this.hasRoomForValues(pair)) for (const starved of takeAll(pair.waitForRoom)) this.refresh(pair, starved);
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
        for (const lane of lanes ?? []) this.refresh(pair, lane);
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
        this.refresh(pair, lane);
        return true;
      }
    }
    return false;
  }

  // ---- parking

  /** Rule 8: a record whose attempt is over leaves main. */
  park(entry: Entry, waitMs: number, failure: Failure, isCharged: boolean): void {
    const { scheduler, clock } = this.parts;
    const attempts = entry.attempts + (isCharged ? 1 : 0);
    const firstFailureMs = entry.firstFailureMs ?? (isCharged ? clock.now() : undefined);
    const facts = { attempts, firstFailureMs, dueMs: clock.now() + waitMs, failure };
    const pair = pairOf(entry.owner) as RetryPair;
    if (!entry.copy && !pair.canPark(1)) {
      this.keepInMain(pair, entry, waitMs, failure, facts);
      return;
    }
    scheduler.detachRunning(entry);
    void this.append(pair, entry.lane, [entry], () => facts);
    scheduler.dispatch();
  }

  /** Rule 12, a short wait: the copy stays where it is. */
  waitInPlace(entry: Entry, delayMs: number): void {
    const { scheduler, clock } = this.parts;
    const copy = entry.copy as ParkedCopy;
    copy.attempts = entry.attempts + 1;
    copy.firstFailureMs = entry.firstFailureMs ?? clock.now();
    copy.dueMs = clock.now() + delayMs;
    scheduler.release(entry);
    if (entry.owner.isOwned) scheduler.abandon(entry.lane);
    this.moved(pairOf(entry.owner), copy.lane);
  }

  /** Rule 8, reasons "closed gate" and "follower": a full window is emptied from lanes that cannot move. */
  makeRoom(pair: RetryPair): void {
    const { pauses } = this.parts;
    if (!pair.isScanned || !pauses.has(pair.main, 'window')) return;
    for (const lane of pair.main.lanes.values()) {
      if (this.willHaveRoom(pair.main)) return;
      if (!this.isStuck(pair, lane)) continue;
      if (!pair.canPark(parkedAtOnce)) {
        this.relieve(pair);
        return;
      }
      this.parkLane(pair, lane);
    }
  }

  /** Head-of-line rule for retry: the record that holds the watermark is appended again, unchanged, so that the map gets room. */
  relieve(pair: RetryPair): void {
    const copy = pair.index.oldest();
    if (!copy || pair.isBusy(copy.lane) || copy.position < 0) return;
    if (!copy.message) {
      this.want(pair, copy);
      return;
    }
    const { attempts, firstFailureMs, dueMs } = copy;
    const failure = copy.isThrottled ? throttledBefore : undefined;
    const lane = this.standingLane(pair, copy, copy.message);
    void this.append(pair, lane, [...lane.parking], () => ({ attempts, firstFailureMs, dueMs, failure }));
  }

  // ---- retry

  onRetryBatch(pair: RetryPair, batch: FetchedBatch): number {
    const { admission, noteProgress } = this.parts;
    const { retry } = pair;
    const tracker = admission.trackerOf(retry, batch);
    if (!tracker) return batch.fetchedFrom;
    this.takeWanted(pair, batch);
    const before = tracker.knownEnd;
    const end = admission.admitEach(retry, tracker, batch, (message, position) => this.meet(pair, message, position));
    if (tracker.knownEnd !== before) noteProgress(retry);
    if (this.parts.pauses.has(retry, 'map')) this.relieve(pair);
    return this.nextFetch(pair, batch, end);
  }

  /** Where the next fetch starts after a rejoin, which sent the client back to the committed offset. */
  fetchAgainFrom({ retry, wanted }: RetryPair): number {
    return wanted.size > 0 ? Math.min(...wanted) : (retry.tracker?.knownEnd ?? 0);
  }

  /** Everything that was parked before the partition was taken is known. */
  scanned(pair: RetryPair): void {
    pair.isScanned = true;
    for (const lane of [...pair.index.laneKeys()]) this.refresh(pair, lane);
    for (const lane of pair.main.lanes.values()) this.parts.scheduler.wake(lane);
    this.parts.scheduler.dispatch();
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
    if (this.mayGo(pair, copy)) return 'go';
    queueMicrotask(() => this.moved(pair, copy.lane));
    return 'drop';
  }

  private mayGo(pair: RetryPair, copy: ParkedCopy): boolean {
    if (pair.index.headOf(copy.lane) !== copy) return false;
    if (copy.dueMs > this.parts.clock.now()) return false;
    if (this.parts.scheduler.isClosed(copy.scope)) return false;
    return !this.isOrdered || this.blockOf(pair, copy) === undefined;
  }

  private blockOf(pair: RetryPair, copy: ParkedCopy) {
    return this.parts.plantedBug === 'no-chain-gate' ? undefined : pair.chainBlock(copy, this.fence);
  }

  private isGhost(pair: RetryPair, origin: number, lane: string): boolean {
    const { plantedBug } = this.parts;
    if (plantedBug === 'no-ghosts') return false;
    if (plantedBug === 'drop-below' && (pair.index.highestOf(lane)?.origin ?? -1) > origin) return true;
    return pair.isGhost(origin, lane);
  }

  // ---- the head of the chain

  /** Offers the head of a parked lane to the scheduler, or notes what it waits for. */
  private refresh(pair: RetryPair, laneName: string): void {
    const copy = pair.index.headOf(laneName);
    const active = pair.retry.lanes.get(laneName);
    if (active && (active.state === 'running' || active.state === 'parking')) return;
    if (active && active.head?.copy !== copy) this.parts.scheduler.abandon(active);
    if (!copy || !pair.isScanned || pair.retry.lanes.has(laneName) || this.mustWait(pair, copy)) return;
    if (!copy.message) {
      this.want(pair, copy);
      return;
    }
    this.offer(pair, copy, copy.message);
  }

  private mustWait(pair: RetryPair, copy: ParkedCopy): boolean {
    const { clock, scheduler, committer } = this.parts;
    if (copy.dueMs > clock.now()) {
      this.wakeAt(pair, copy);
      return true;
    }
    if (scheduler.isClosed(copy.scope)) {
      const lanes = pair.waitForGate.get(copy.scope) ?? new Set();
      pair.waitForGate.set(copy.scope, lanes.add(copy.lane));
      return true;
    }
    const block = this.isOrdered ? this.blockOf(pair, copy) : undefined;
    if (block === 'main-unread') pair.waitForMain.add(copy.lane);
    if (block === 'uncommitted') committer.kick();
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

  /** A lane of one copy that is not offered to the scheduler. */
  private standingLane(pair: RetryPair, copy: ParkedCopy, message: FetchedMessage): Lane {
    const active = pair.retry.lanes.get(copy.lane);
    if (active) this.parts.scheduler.abandon(active);
    const lane = laneIn(pair.retry, copy.lane);
    lane.state = 'parking';
    lane.parking = [this.chainEntry(pair, lane, copy, message)];
    return lane;
  }

  private chainEntry(pair: RetryPair, lane: Lane, copy: ParkedCopy, message: FetchedMessage): Entry {
    const record = new FetchedRecord(pair.retry.topic, pair.retry.partition, message);
    const entry = entryOf(lane, record, copy.position, bytesOf(message));
    const { attempts, firstFailureMs } = copy;
    return Object.assign(entry, { copy, attempts, firstFailureMs });
  }

  // ---- values that are not in memory

  private want(pair: RetryPair, copy: ParkedCopy): void {
    // Not fetched back yet: it comes by itself.
    if (copy.position < 0 || pair.wanted.has(copy.offset)) return;
    if (!this.hasRoomForValues(pair)) {
      pair.waitForRoom.add(copy.lane);
      return;
    }
    pair.wanted.add(copy.offset);
    if (pair.wanted.size === 1) this.parts.driver.seek(pair.retry, copy.offset);
  }

  private hasRoomForValues({ wanted, retry }: RetryPair): boolean {
    return wanted.size + retry.windowRecords < this.parts.options.maxWindowRecords;
  }

  private takeWanted(pair: RetryPair, { messages, fetchedFrom, nextOffset }: FetchedBatch): void {
    if (pair.wanted.size === 0) return;
    for (const message of messages) {
      const offset = Number(message.offset);
      if (!pair.wanted.delete(offset)) continue;
      const copy = pair.index.atOffset(offset);
      if (!copy) continue;
      this.keepValue(pair, copy, message);
      this.refresh(pair, copy.lane);
    }
    for (const offset of [...pair.wanted]) {
      if (offset >= fetchedFrom && offset < nextOffset) this.noteVanished(pair, offset);
    }
  }

  private nextFetch(pair: RetryPair, { fetchedFrom, nextOffset }: FetchedBatch, end: number): number {
    if (pair.wanted.size === 0) return end;
    const next = Math.min(...pair.wanted);
    if (next >= nextOffset) return next;
    if (next < fetchedFrom) this.parts.driver.seek(pair.retry, next);
    return nextOffset;
  }

  /** Kafka deleted it while it waited: nothing can bring it back, so the key goes on and a person is told. */
  private noteVanished(pair: RetryPair, offset: number): void {
    pair.wanted.delete(offset);
    const copy = pair.index.atOffset(offset);
    if (!copy) return;
    const { topic, partition } = pair.retry;
    this.parts.logger.error(
      { topic, partition, offset, origin: copy.origin },
      'record.vanished: a parked record was deleted by retention; lengthen the retention of the retry topic and redrive its origin',
    );
    this.finishCopy(pair, copy);
    this.moved(pair, copy.lane);
  }

  private keepValue(pair: RetryPair, copy: ParkedCopy, message: FetchedMessage): void {
    if (copy.message) return;
    copy.message = message;
    pair.retry.windowRecords += 1;
    pair.retry.windowBytes += bytesOf(message);
  }

  private dropValue(pair: RetryPair, copy: ParkedCopy): void {
    if (!copy.message) return;
    pair.retry.windowRecords -= 1;
    pair.retry.windowBytes -= bytesOf(copy.message);
    copy.message = undefined;
  }

  private isWorthKeeping(pair: RetryPair, copy: ParkedCopy): boolean {
    if (pair.retry.windowRecords >= this.parts.options.maxWindowRecords / 2) return false;
    return copy.dueMs <= this.parts.clock.now() + keepValueMs && !this.parts.scheduler.isClosed(copy.scope);
  }

  // ---- copies as they are fetched

  private meet(pair: RetryPair, message: FetchedMessage, position: number): void {
    const offset = Number(message.offset);
    const own = pair.index.atOffset(offset);
    if (own) {
      own.position = position;
      if (this.isWorthKeeping(pair, own)) this.keepValue(pair, own, message);
      this.refresh(pair, own.lane);
      return;
    }
    const record = new FetchedRecord(pair.retry.topic, pair.retry.partition, message);
    const facts = readCopy(record, this.parts.mainTopic);
    if (typeof facts === 'string') {
      void this.buryForeign(pair, record, position, facts);
      return;
    }
    const laneKey = this.parts.admission.laneKey(record);
    const lane = this.isOrdered ? laneKey : `${laneKey}#${facts.origin}`;
    const scope = this.parts.admission.scopeOf(record, lane);
    const copy: ParkedCopy = { ...facts, offset, lane, scope, position, message: undefined };
    if (this.parts.plantedBug === 'due-forgotten') copy.dueMs = 0;
    this.restoreGate(copy);
    if (this.isWorthKeeping(pair, copy)) this.keepValue(pair, copy, message);
    this.meetCopy(pair, copy);
  }

  private meetCopy(pair: RetryPair, copy: ParkedCopy): void {
    if (pair.isScanned && pair.isBusy(copy.lane)) {
      pair.late.set(copy.lane, [...(pair.late.get(copy.lane) ?? []), copy]);
      return;
    }
    this.takeCopy(pair, copy);
    this.refresh(pair, copy.lane);
  }

  /** The destination asked for a pause before the partition changed hands: it holds for the new owner too. */
  private restoreGate({ isThrottled, dueMs, scope }: ParkedCopy): void {
    if (isThrottled && dueMs > this.parts.clock.now()) this.parts.scheduler.closeScope(scope, dueMs, 'throttled');
  }

  private takeLate(pair: RetryPair, lane: string): void {
    const copies = pair.late.get(lane);
    if (!copies) return;
    pair.late.delete(lane);
    for (const copy of copies) this.takeCopy(pair, copy);
  }

  /** Rules 3 and 14. */
  private takeCopy(pair: RetryPair, copy: ParkedCopy): void {
    const own = pair.index.atOffset(copy.offset);
    if (own) {
      own.position = copy.position;
      if (copy.message) this.keepValue(pair, own, copy.message);
      this.dropValue(pair, copy);
      return;
    }
    const isNewRedrive = this.isNewRedrive(pair, copy);
    const known = pair.index.ofOrigin(copy.origin);
    if (known) {
      const isNewer =
        copy.redriveCount !== known.redriveCount ? copy.redriveCount > known.redriveCount : copy.offset > known.offset;
      this.finishCopy(pair, isNewer ? known : copy);
      if (isNewer) this.adopt(pair, copy);
      return;
    }
    const isSettled = pair.isScanned && !isNewRedrive && pair.main.tracker?.isFinished(copy.origin);
    if (isSettled) this.finishCopy(pair, copy);
    else this.adopt(pair, copy);
  }

  private isNewRedrive(pair: RetryPair, { redriveId, origin }: ParkedCopy): boolean {
    if (redriveId === undefined) return false;
    const name = `${redriveId} ${origin}`;
    if (pair.redrives.has(name)) return false;
    if (pair.redrives.size >= redrivesRemembered) pair.redrives.clear();
    pair.redrives.add(name);
    return true;
  }

  private adopt(pair: RetryPair, copy: ParkedCopy): void {
    pair.index.add(copy);
    if (!this.isOrdered) return;
    this.withdrawGhost(pair, copy);
    if (this.parts.admission.hasToReadOn(pair.main)) this.parts.pauses.remove(pair.main, 'window');
  }

  private withdrawGhost(pair: RetryPair, { origin, lane }: ParkedCopy): void {
    const inMain = pair.main.lanes.get(lane);
    if (!inMain || this.parts.plantedBug === 'no-ghosts') return;
    const entry = this.parts.scheduler.withdraw(inMain, (one) => originOfEntry(one) === origin);
    if (!entry) return;
    this.leaveWindow(entry);
    this.finishInMain(pair, lane, origin, entry.position);
  }

  /** No copy of ours, and nothing can be done with it. */
  private async buryForeign(pair: RetryPair, record: FetchedRecord, position: number, reason: string): Promise<void> {
    const lane: Lane = { ...laneIn(pair.retry, `\u{1f5d1}${record.offsetText}`), state: 'parking' };
    pair.retry.lanes.delete(lane.key);
    const entry = entryOf(lane, record, position, 0);
    const isWritten = await this.parts.deadLetters.write(entry, { errorClass: 'invalid', reason, stage: 'retry' });
    if (!isWritten || !pair.isOwned) return;
    pair.retry.tracker?.finish(position);
    this.parts.noteProgress(pair.retry);
  }

  // ---- finishing

  private finishCopy(pair: RetryPair, copy: ParkedCopy): void {
    pair.index.remove(copy);
    this.dropValue(pair, copy);
    pair.retry.tracker?.finish(copy.position);
    this.noteFinish(pair, copy.lane, copy.origin, true);
    this.parts.admission.resumeWhenRoom(pair.retry);
  }

  private finishInMain(pair: RetryPair, lane: string, origin: number, position: number): void {
    pair.main.tracker?.finish(position);
    this.noteFinish(pair, lane, origin, false);
  }

  private noteFinish(pair: RetryPair, lane: string, origin: number, isRetry: boolean): void {
    const owner = isRetry ? pair.retry : pair.main;
    this.parts.noteProgress(owner);
    if (this.isOrdered) pair.finishes.add(lane, origin, owner, isRetry);
  }

  private leaveWindow(entry: Entry): void {
    entry.owner.windowRecords -= 1;
    entry.owner.windowBytes -= entry.bytes;
    this.parts.admission.resumeWhenRoom(entry.owner);
  }

  // ---- appending

  /** At the cap nothing more is parked: the record waits where it is. */
  private keepInMain(
    pair: RetryPair,
    entry: Entry,
    waitMs: number,
    failure: Failure,
    facts: Pick<ParkFacts, 'attempts' | 'firstFailureMs'>,
  ) {
    entry.attempts = facts.attempts;
    entry.firstFailureMs = facts.firstFailureMs;
    this.parts.scheduler.hold(entry, waitMs, `${failure.errorClass}: ${failure.reason} (the retry topic is full)`);
    this.relieve(pair);
  }

  private willHaveRoom({ windowRecords, windowBytes, appending, appendingBytes }: OwnedPartition): boolean {
    return this.parts.admission.hasRoom({
      windowRecords: windowRecords - appending,
      windowBytes: windowBytes - appendingBytes,
    });
  }

  private isStuck(pair: RetryPair, lane: Lane): boolean {
    if (!lane.head) return false;
    if (lane.state === 'gated') return true;
    return lane.state === 'blocked' && pair.isFollower(originOfEntry(lane.head), lane.key);
  }

  private parkLane(pair: RetryPair, lane: Lane): void {
    const nowMs = this.parts.clock.now();
    const isGated = lane.state === 'gated';
    const untilMs = isGated && Number.isFinite(lane.heldUntilMs) ? Math.max(nowMs, lane.heldUntilMs) : nowMs;
    const entries = this.parts.scheduler.detach(lane, parkedAtOnce);
    const factsOf = ({ attempts, firstFailureMs }: Entry) => ({
      attempts,
      firstFailureMs,
      dueMs: untilMs,
      failure: isGated ? throttledBefore : undefined,
    });
    void this.append(pair, lane, [...entries], factsOf);
  }

  private async append(
    pair: RetryPair,
    lane: Lane,
    entries: readonly Entry[],
    factsOf: (entry: Entry) => Omit<ParkFacts, 'group'>,
  ): Promise<void> {
    const { plantedBug, scheduler } = this.parts;
    const all = entries.map(async (entry) => {
      const facts = { ...factsOf(entry), group: this.parts.options.group };
      if (plantedBug === 'no-ack') this.leaveSource(pair, entry);
      const offset = await this.appender.append(entry, facts);
      if (offset === undefined || !pair.isOwned) return;
      if (plantedBug !== 'lock-when-fetched') this.noteAppended(pair, entry, offset, facts);
      if (plantedBug !== 'no-ack') this.leaveSource(pair, entry);
    });
    await Promise.all(all);
    this.parts.noteIdle();
    if (!pair.isOwned || entries.some((entry) => entry.owner.signal.aborted)) return;
    if (plantedBug === 'attempt-again' && this.appender.gaveUp(entries[0] as Entry)) {
      this.attemptAgain(lane, entries[0] as Entry);
    } else if (lane.owner === pair.retry) scheduler.abandon(lane);
    else scheduler.proceed(lane);
    this.moved(pair, laneNameOf(entries[0] as Entry));
  }

  /** The planted bug itself. */
  private attemptAgain(lane: Lane, entry: Entry): void {
    entry.next = lane.head;
    lane.head = entry;
    lane.tail ??= entry;
    this.parts.scheduler.proceed(lane);
  }

  /** It counts as outstanding from the acknowledgement on, not from being fetched back. */
  private noteAppended(pair: RetryPair, entry: Entry, offset: number, facts: ParkFacts): void {
    if (offset < 0) return;
    const { record, copy } = entry;
    const before = copy ?? pair.index.ofOrigin(originOfEntry(entry));
    if (before) this.finishCopy(pair, before);
    const adopted = pair.index.ofOrigin(originOfEntry(entry));
    if (adopted) this.finishCopy(pair, adopted);
    pair.appendedEnd = Math.max(pair.appendedEnd, offset + 1);
    pair.index.add({
      origin: originOfEntry(entry),
      offset,
      lane: laneNameOf(entry),
      scope: before?.scope ?? this.parts.admission.scopeOf(record, entry.lane.key),
      redriveId: before?.redriveId,
      redriveCount: before?.redriveCount ?? 0,
      position: -1,
      dueMs: Math.ceil(facts.dueMs),
      attempts: facts.attempts,
      firstFailureMs: facts.firstFailureMs,
      isThrottled: facts.failure?.errorClass === 'throttled',
      message: undefined,
    });
  }

  private leaveSource(pair: RetryPair, entry: Entry): void {
    if (entry.copy || this.appender.gaveUp(entry)) return;
    const { lane } = entry;
    lane.parking = lane.parking.filter((one) => one !== entry);
    this.leaveWindow(entry);
    this.finishInMain(pair, lane.key, originOfEntry(entry), entry.position);
  }
}

const throttledBefore: Failure = { errorClass: 'throttled', reason: 'the gate was closed' };

const laneNameOf = (entry: Entry): string => entry.copy?.lane ?? entry.lane.key;

function takeAll<T>(set: Set<T>): T[] {
  const all = [...set];
  set.clear();
  return all;
}
