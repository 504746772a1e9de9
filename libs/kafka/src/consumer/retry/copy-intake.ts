import type { Clock } from '../../connection/clock.js';
import { type Admission, entryOf } from '../admission.js';
import type { FetchedMessage } from '../consumer-driver.js';
import type { DeadLetters } from '../dead-letters.js';
import { FetchedRecord } from '../fetched-record.js';
import type { KeyScheduler } from '../key-scheduler.js';
import { type Lane, laneIn, type OwnedPartition } from '../owned-partition.js';
import type { PauseRegistry } from '../pause-registry.js';
import type { ChainHeads } from './chain-heads.js';
import type { FinishBook } from './finish-book.js';
import { isHolding, outranks, type ParkedCopy, readCopy } from './parked-copy.js';
import { originOfEntry, type RetryPair } from './retry-pair.js';
import type { PlantedBug } from './retry-rules.js';

export interface CopyIntakeParts {
  readonly mainTopic: string;
  readonly maxWindowRecords: number;
  readonly clock: Clock;
  readonly scheduler: KeyScheduler;
  readonly pauses: PauseRegistry;
  readonly admission: Admission;
  readonly deadLetters: DeadLetters;
  readonly noteProgress: (owner: OwnedPartition) => void;
  readonly book: FinishBook;
  readonly heads: ChainHeads;
  readonly isOrdered: boolean;
  readonly plantedBug: PlantedBug | undefined;
}

/** A value is kept in memory when its turn comes soon; otherwise it is fetched again when it is due. */
const keepValueMs = 60_000;
const redrivesRemembered = 10_000;

const unread = (appendedMs: number) => ({ gatedSinceMs: undefined, appendedMs, message: undefined });

/** Rules 3 and 14: what becomes of the copies that are read from the retry topic. */
export class CopyIntake {
  constructor(private readonly parts: CopyIntakeParts) {}

  meet(pair: RetryPair, message: FetchedMessage, position: number): void {
    const offset = Number(message.offset);
    const own = pair.index.atOffset(offset);
    if (own) {
      own.position = position;
      if (this.isWorthKeeping(pair, own)) this.parts.book.keepValue(pair, own, message);
      if (!pair.isBusy(own.lane)) this.takeLate(pair, own.lane);
      this.parts.heads.refresh(pair, own.lane);
      return;
    }
    const record = new FetchedRecord(pair.retry.topic, pair.retry.partition, message);
    const facts = readCopy(record, this.parts.mainTopic);
    if (typeof facts === 'string') {
      void this.buryForeign(pair, record, position, facts);
      return;
    }
    const laneKey = this.parts.admission.laneKey(record);
    const lane = this.parts.isOrdered ? laneKey : `${laneKey}#${facts.origin}`;
    const scope = this.parts.admission.scopeOf(record, lane);
    const copy: ParkedCopy = { ...facts, offset, lane, scope, position, ...unread(record.timestampMs) };
    if (this.parts.plantedBug === 'due-forgotten') copy.dueMs = 0;
    this.restoreGate(copy);
    if (this.isWorthKeeping(pair, copy)) this.parts.book.keepValue(pair, copy, message);
    this.meetCopy(pair, copy);
  }

  takeLate(pair: RetryPair, lane: string): void {
    const copies = pair.late.get(lane);
    if (!copies) return;
    pair.late.delete(lane);
    for (const copy of copies) this.takeCopy(pair, copy);
  }

  private isWorthKeeping(pair: RetryPair, copy: ParkedCopy): boolean {
    if (pair.retry.windowRecords >= this.parts.maxWindowRecords / 2) return false;
    return copy.dueMs <= this.parts.clock.now() + keepValueMs && !this.parts.scheduler.isClosed(copy.scope);
  }

  private meetCopy(pair: RetryPair, copy: ParkedCopy): void {
    if (pair.isScanned && pair.isBusy(copy.lane)) {
      this.takeLater(pair, copy);
      return;
    }
    this.takeCopy(pair, copy);
    this.parts.heads.refresh(pair, copy.lane);
  }

  private takeLater(pair: RetryPair, copy: ParkedCopy): void {
    pair.late.set(copy.lane, [...(pair.late.get(copy.lane) ?? []), copy]);
  }

  /** The destination asked for a pause before the partition changed hands: it holds for the new owner too. */
  private restoreGate({ isThrottled, dueMs, scope }: ParkedCopy): void {
    if (isThrottled && dueMs > this.parts.clock.now()) this.parts.scheduler.closeScope(scope, dueMs, 'throttled');
  }

  /** Rules 3 and 14. */
  private takeCopy(pair: RetryPair, copy: ParkedCopy): void {
    const own = pair.index.atOffset(copy.offset);
    if (own) {
      own.position = copy.position;
      if (copy.message) this.parts.book.keepValue(pair, own, copy.message);
      this.parts.book.dropValue(pair, copy);
      return;
    }
    const known = pair.index.ofOrigin(copy.origin);
    if (known && known.position < 0) {
      // Before it was fetched back it cannot be finished: the next owner would find it after the newer one is done with.
      this.takeLater(pair, copy);
      return;
    }
    const isNewRedrive = this.isNewRedrive(pair, copy);
    if (known) {
      const isNewer =
        this.parts.plantedBug === 'redrive-count-ignored' ? copy.offset > known.offset : outranks(copy, known);
      this.parts.book.finishCopy(pair, isNewer ? known : copy);
      if (isNewer) this.adopt(pair, copy);
      return;
    }
    const isSettled = pair.isScanned && !isNewRedrive && pair.main.tracker?.isFinished(copy.origin);
    if (isSettled) this.parts.book.finishCopy(pair, copy);
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
    if (this.parts.plantedBug === 'hold-forgotten' && isHolding(copy)) {
      this.parts.book.finishCopy(pair, copy);
      return;
    }
    pair.index.add(copy);
    if (!this.parts.isOrdered) return;
    this.withdrawGhost(pair, copy);
    if (this.parts.admission.hasToReadOn(pair.main)) this.parts.pauses.remove(pair.main, 'window');
  }

  private withdrawGhost(pair: RetryPair, { origin, lane }: ParkedCopy): void {
    const inMain = pair.main.lanes.get(lane);
    if (!inMain || this.parts.plantedBug === 'no-ghosts') return;
    const entry = this.parts.scheduler.withdraw(inMain, (one) => originOfEntry(one) === origin);
    if (!entry) return;
    this.parts.book.leaveWindow(entry);
    this.parts.book.finishInMain(pair, lane, origin, entry.position);
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
}
