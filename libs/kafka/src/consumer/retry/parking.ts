import { holdMarks } from '@tributary/contracts';
import type { Failure } from '@tributary/domain';
import { type Clock, sleep } from '../../connection/clock.js';
import type { Admission } from '../admission.js';
import { errorHeadersOf } from '../dead-letter.js';
import type { KeyScheduler } from '../key-scheduler.js';
import type { Entry, Lane, OwnedPartition } from '../owned-partition.js';
import type { PauseRegistry } from '../pause-registry.js';
import type { RetryOptions } from '../runtime-options.js';
import type { Appender } from './appender.js';
import type { ChainHeads } from './chain-heads.js';
import type { FinishBook } from './finish-book.js';
import { neverMs, type ParkedCopy, type ParkFacts } from './parked-copy.js';
import type { ParkedValues } from './parked-values.js';
import { laneNameOf, originOfEntry, pairOf, type RetryPair } from './retry-pair.js';
import type { PlantedBug } from './retry-rules.js';

export interface ParkingParts {
  readonly group: string;
  readonly retries: Pick<RetryOptions, 'longerThanMs'>;
  readonly maxWindowRecords: number;
  /** Of the retry topic; undefined: nothing is deleted. */
  readonly retentionMs: number | undefined;
  readonly clock: Clock;
  readonly scheduler: KeyScheduler;
  readonly pauses: PauseRegistry;
  readonly admission: Admission;
  readonly book: FinishBook;
  readonly heads: ChainHeads;
  readonly values: ParkedValues;
  readonly appender: Appender;
  /** The lane moved on: what waited for it may go. */
  readonly moved: (pair: RetryPair | undefined, lane: string) => void;
  readonly noteIdle: () => void;
  readonly plantedBug: PlantedBug | undefined;
}

/** Appends of one lane at the same time. */
const parkedAtOnce = 100;
const renewedAtOnce = 100;
/** A full window in which everything waits is looked at again: nothing else may happen in it for as long as an attempt lasts. */
const lookAgainMs = 250;
const firstRoomPauseMs = 1_000;
const longestRoomPauseMs = 300_000;
const throttledBefore: Failure = { errorClass: 'throttled', reason: 'the gate was closed' };

/** Rules 8, 9 and 12: how records get into the retry topic, and stay there. */
export class Parking {
  private readonly looksAgain = new WeakSet<RetryPair>();

  constructor(private readonly parts: ParkingParts) {}

  /** Rule 8: a record whose attempt is over leaves main. */
  park(entry: Entry, waitMs: number, failure: Failure, isCharged: boolean): void {
    const { scheduler, clock } = this.parts;
    const attempts = entry.attempts + (isCharged ? 1 : 0);
    const firstFailureMs = isCharged ? (entry.firstFailureMs ?? clock.now()) : later(entry.firstFailureMs, waitMs);
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

  /** The copy of a dead letter is the lock of its key, as that of any parked record; only it is never attempted. */
  async hold(entry: Entry, failure: Failure, deadLetter: string): Promise<void> {
    const { scheduler, clock } = this.parts;
    const pair = pairOf(entry.owner) as RetryPair;
    const facts = {
      attempts: entry.attempts + 1,
      firstFailureMs: entry.firstFailureMs ?? clock.now(),
      dueMs: neverMs,
      failure,
      hold: holdMarks.deadLetter,
      deadLetter,
      // The dead letter may be gone before anybody decides: then this is what is redriven.
      headers: errorHeadersOf(entry.record, failure),
    };
    scheduler.detachRunning(entry);
    scheduler.dispatch();
    await this.untilRoom(pair, entry);
    if (!entry.owner.signal.aborted && pair.isOwned) await this.append(pair, entry.lane, [entry], () => facts);
  }

  /** It must not be attempted again, so at the cap it waits here and not in its lane. */
  private async untilRoom(pair: RetryPair, { copy, owner }: Entry): Promise<void> {
    const isFull = () => !copy && pair.isOwned && !owner.signal.aborted && !pair.canPark(1);
    // Each relief takes room itself, so it must not come often.
    for (let pauseMs = firstRoomPauseMs; isFull(); pauseMs = Math.min(pauseMs * 2, longestRoomPauseMs)) {
      this.relieve(pair);
      await sleep(this.parts.clock, pauseMs, owner.signal);
    }
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
    this.parts.moved(pairOf(entry.owner), copy.lane);
  }

  /** Rule 8, reasons "closed gate" and "follower": a full window is emptied from lanes that cannot move. */
  makeRoom(pair: RetryPair): void {
    const { pauses } = this.parts;
    if (!pair.isScanned || !pauses.has(pair.main, 'window')) return;
    const { stuckLanes } = pair.main;
    for (const lane of stuckLanes) {
      if (this.willHaveRoom(pair.main)) return;
      if (!mayBeStuck(lane)) stuckLanes.delete(lane);
      if (!this.isStuck(pair, lane)) continue;
      if (!pair.canPark(parkedAtOnce)) {
        this.relieve(pair);
        return;
      }
      this.parkLane(pair, lane);
    }
    this.parkQueues(pair);
  }

  /**
   * An account whose places are all taken fills the window with what waits for one. Beyond what it can do before a wait counts as long, that
   * leaves memory as behind a closed gate, so that others are read.
   */
  private parkQueues(pair: RetryPair): void {
    const { scheduler, retries, maxWindowRecords, pauses } = this.parts;
    // Those whose turn comes last leave first: they have longest to come back.
    const spared = Math.floor(maxWindowRecords / 32);
    const lanes = [...scheduler.queuedLongerThan(pair.main, retries.longerThanMs, spared)].reverse();
    for (const lane of lanes) {
      if (this.willHaveRoom(pair.main)) return;
      if (!pair.canPark(parkedAtOnce)) {
        this.relieve(pair);
        return;
      }
      this.parkLane(pair, lane);
    }
    if (pauses.has(pair.main, 'window') && !this.willHaveRoom(pair.main)) this.lookAgain(pair);
  }

  private lookAgain(pair: RetryPair): void {
    if (this.looksAgain.has(pair)) return;
    this.looksAgain.add(pair);
    const { scheduler } = this.parts;
    this.parts.clock.after(lookAgainMs, () => {
      this.looksAgain.delete(pair);
      if (!pair.isOwned) return;
      this.makeRoom(pair);
      scheduler.dispatch();
    });
  }

  /** Head-of-line rule for main: nearly all above the blocker is finished, and the map of what is finished is nearly full. */
  freeWatermark(pair: RetryPair): void {
    const { main } = pair;
    if (!pair.isScanned || !main.tracker?.isHeldUp) return;
    const lane = oldestLane(main);
    if (!lane || !(lane.state === 'held' || this.isStuck(pair, lane))) return;
    if (pair.canPark(parkedAtOnce)) this.parkLane(pair, lane);
    else this.relieve(pair);
  }

  /** Head-of-line rule for retry: the record that holds the watermark is appended again, so that the map gets room. */
  relieve(pair: RetryPair): void {
    const copy = pair.index.oldest();
    if (copy) this.appendAgain(pair, copy);
  }

  /** Kafka deletes by age: whoever waits longer than half the retention is appended again before, at an open gate or a closed one. */
  renew(pair: RetryPair): void {
    const { retentionMs } = this.parts;
    if (!pair.isScanned || retentionMs === undefined) return;
    const limitMs = this.parts.clock.now() - retentionMs / 2;
    for (const copy of pair.index.appendedBefore(limitMs, renewedAtOnce)) this.appendAgain(pair, copy);
  }

  /** Unchanged. When its value is not in memory that is fetched, and the next call does it. */
  private appendAgain(pair: RetryPair, copy: ParkedCopy): void {
    if (pair.isBusy(copy.lane) || copy.position < 0) return;
    if (!copy.message) {
      this.parts.values.want(pair, copy);
      return;
    }
    const { attempts, firstFailureMs, dueMs, hold, deadLetter } = copy;
    const failure = copy.isThrottled ? throttledBefore : undefined;
    const lane = this.parts.heads.standingLane(pair, copy, copy.message);
    void this.append(pair, lane, [...lane.parking], () => ({
      attempts,
      firstFailureMs,
      dueMs,
      failure,
      hold,
      deadLetter,
    }));
  }

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
    if (!lane.head || !mayBeStuck(lane)) return false;
    return lane.state === 'gated' || pair.isFollower(originOfEntry(lane.head), lane.key);
  }

  private parkLane(pair: RetryPair, lane: Lane): void {
    const nowMs = this.parts.clock.now();
    const { state, heldUntilMs, heldSinceMs } = lane;
    const isGated = state === 'gated';
    const isTimed = (isGated || state === 'held') && Number.isFinite(heldUntilMs);
    const dueMs = isTimed ? Math.max(nowMs, heldUntilMs) : nowMs;
    const gatedForMs = isGated ? dueMs - heldSinceMs : 0;
    const entries = this.parts.scheduler.detach(lane, parkedAtOnce);
    const factsOf = ({ attempts, firstFailureMs }: Entry) => ({
      attempts,
      firstFailureMs: later(firstFailureMs, gatedForMs),
      dueMs,
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
      const facts = { ...factsOf(entry), group: this.parts.group };
      if (plantedBug === 'no-ack') this.leaveSource(pair, entry);
      const offset = await this.parts.appender.append(entry, facts);
      if (offset === undefined || !pair.isOwned) return;
      if (plantedBug !== 'lock-when-fetched') this.noteAppended(pair, entry, offset, facts);
      if (plantedBug !== 'no-ack') this.leaveSource(pair, entry);
    });
    await Promise.all(all);
    this.parts.noteIdle();
    if (!pair.isOwned || entries.some((entry) => entry.owner.signal.aborted)) return;
    if (plantedBug === 'attempt-again' && this.parts.appender.gaveUp(entries[0] as Entry)) {
      this.attemptAgain(lane, entries[0] as Entry);
    } else if (lane.owner === pair.retry) scheduler.abandon(lane);
    else scheduler.proceed(lane);
    this.parts.moved(pair, laneNameOf(entries[0] as Entry));
  }

  /** The planted bug itself. */
  private attemptAgain(lane: Lane, entry: Entry): void {
    entry.next = lane.head;
    lane.head = entry;
    lane.tail ??= entry;
    lane.records += 1;
    this.parts.scheduler.proceed(lane);
  }

  /** It counts as outstanding from the acknowledgement on, not from being fetched back. */
  private noteAppended(pair: RetryPair, entry: Entry, offset: number, facts: ParkFacts): void {
    if (offset < 0) return;
    const { record, copy } = entry;
    const before = copy ?? pair.index.ofOrigin(originOfEntry(entry));
    if (before) this.parts.book.finishCopy(pair, before);
    const adopted = pair.index.ofOrigin(originOfEntry(entry));
    if (adopted) this.parts.book.finishCopy(pair, adopted);
    pair.appendedEnd = Math.max(pair.appendedEnd, offset + 1);
    pair.index.add({
      origin: originOfEntry(entry),
      offset,
      lane: laneNameOf(entry),
      scope: before?.scope ?? this.parts.admission.scopeOf(record, entry.lane.key),
      redriveId: before?.redriveId,
      redriveCount: before?.redriveCount ?? 0,
      hold: facts.hold,
      deadLetter: facts.deadLetter,
      position: -1,
      dueMs: Math.ceil(facts.dueMs),
      attempts: facts.attempts,
      firstFailureMs: facts.firstFailureMs,
      isThrottled: !facts.hold && facts.failure?.errorClass === 'throttled',
      gatedSinceMs: undefined,
      appendedMs: this.parts.clock.now(),
      message: undefined,
    });
  }

  private leaveSource(pair: RetryPair, entry: Entry): void {
    if (entry.copy || this.parts.appender.gaveUp(entry)) return;
    const { lane } = entry;
    lane.parking = lane.parking.filter((one) => one !== entry);
    this.parts.book.leaveWindow(entry);
    this.parts.book.finishInMain(pair, lane.key, originOfEntry(entry), entry.position);
  }
}

/** Time at a closed gate is none of trying. */
const mayBeStuck = ({ state }: Lane): boolean => state === 'gated' || state === 'blocked';

const later = (firstFailureMs: number | undefined, byMs: number): number | undefined =>
  firstFailureMs === undefined ? undefined : firstFailureMs + byMs;

function oldestLane(main: OwnedPartition): Lane | undefined {
  let oldest: Lane | undefined;
  let position = Number.POSITIVE_INFINITY;
  for (const lane of main.lanes.values()) {
    const first = lane.parking[0] ?? lane.head;
    if (!first || first.position >= position) continue;
    oldest = lane;
    position = first.position;
  }
  return oldest;
}
