import { type Failure, PlatformError, type Settlement } from '@tributary/domain';
import type { Clock } from '../connection/clock.js';
import { errorFields, type Logger } from '../connection/logger.js';
import type { IncomingRecord } from '../records.js';
import type { Admission } from './admission.js';
import { type DeadLetters, whereIs } from './dead-letters.js';
import type { KeyScheduler } from './key-scheduler.js';
import type { Entry, OwnedPartition } from './owned-partition.js';
import { endProcessSpan, type ProcessSpan, runInSpan, startProcessSpan } from './process-span.js';
import type { RetryChain } from './retry/retry-chain.js';
import { pairOf } from './retry/retry-pair.js';
import type { RecordHandler, RuntimeObserver, SettlementKind } from './runtime-options.js';
import { isLate, mistakeOf, putBack } from './settling.js';

export interface SettlerParts {
  readonly group: string;
  readonly handler: RecordHandler;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly observer: RuntimeObserver | undefined;
  readonly scheduler: KeyScheduler;
  readonly admission: Admission;
  readonly deadLetters: DeadLetters;
  /** Undefined without a retry topic. */
  readonly chain: RetryChain | undefined;
  readonly stopping: AbortSignal;
  /** There is something new to commit. */
  readonly noteProgress: (owner: OwnedPartition) => void;
  /** An attempt is over. */
  readonly noteIdle: () => void;
}

/** Makes attempts and executes what the handler decided. */
export class Settler {
  constructor(private readonly parts: SettlerParts) {}

  attempt(entry: Entry): void {
    const startedMs = performance.now();
    const number = entry.attempts + 1;
    this.leaveGateOut(entry);
    const span = startProcessSpan(entry.record, this.parts.group, number);
    this.invoke(entry, number, span).then(
      (settlement) => {
        endProcessSpan(span, settlement?.to);
        this.observe(entry, number, entry.owner.isOwned ? settlement?.to : 'lost', startedMs);
        this.settle(entry, settlement);
      },
      (error: unknown) => {
        endProcessSpan(span, 'put-back', error);
        this.observe(entry, number, entry.owner.isOwned ? 'put-back' : 'lost', startedMs);
        this.settleThrown(entry, error);
      },
    );
  }

  /** The age limit is one of trying: what a closed gate took is not counted (decision 16). */
  private leaveGateOut(entry: Entry): void {
    if (entry.gatedSinceMs === undefined) return;
    if (entry.firstFailureMs !== undefined) entry.firstFailureMs += this.parts.clock.now() - entry.gatedSinceMs;
    entry.gatedSinceMs = undefined;
  }

  private invoke(entry: Entry, number: number, span: ProcessSpan): Promise<Settlement> {
    const { owner, record, firstFailureMs } = entry;
    try {
      return runInSpan(span, () => this.parts.handler(record, { number, firstFailureMs, signal: owner.signal }));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  private settle(entry: Entry, settlement: Settlement): void {
    this.parts.scheduler.attemptEnded(entry);
    if (isLate(entry, this.parts)) return;
    switch (settlement?.to) {
      case 'commit':
        this.finish(entry);
        break;
      case 'retry':
        this.retryLater(entry, settlement.delayMs, settlement.failure);
        break;
      case 'gate':
        this.closeGate(entry, settlement.closedForMs, settlement.failure);
        break;
      case 'suspend':
        this.suspend(entry, settlement.failure);
        break;
      case 'deadLetter':
        void this.bury(entry, settlement.failure);
        break;
      default:
        this.buryMistake(entry, new TypeError(`the handler returned ${JSON.stringify(settlement)}, not a settlement`));
    }
    this.parts.noteIdle();
  }

  private settleThrown(entry: Entry, error: unknown): void {
    this.parts.scheduler.attemptEnded(entry);
    if (isLate(entry, this.parts)) return;
    if (error instanceof PlatformError && error.retryable) putBack(entry, error, this.parts);
    else if (this.parts.stopping.aborted || entry.owner.signal.aborted) this.parts.scheduler.release(entry);
    else this.buryMistake(entry, error);
    this.parts.noteIdle();
  }

  private finish(entry: Entry): void {
    const { owner } = entry;
    if (!entry.copy) {
      owner.tracker?.finish(entry.position);
      owner.windowRecords -= 1;
      owner.windowBytes -= entry.bytes;
      this.parts.noteProgress(owner);
      this.parts.admission.resumeWhenRoom(owner);
    }
    this.parts.chain?.noteFinished(entry);
    this.parts.scheduler.finish(entry);
    this.parts.chain?.moved(pairOf(owner), entry.copy?.lane ?? entry.lane.key);
  }

  private retryLater(entry: Entry, delayMs: number, failure: Failure): void {
    if (this.parts.chain?.isLong(delayMs)) {
      this.parts.chain.park(entry, delayMs, failure, true);
      return;
    }
    if (this.parts.chain && entry.copy) {
      this.parts.chain.waitInPlace(entry, delayMs);
      return;
    }
    entry.attempts += 1;
    entry.firstFailureMs ??= this.parts.clock.now();
    entry.faults = 0;
    this.parts.scheduler.hold(entry, delayMs, `${failure.errorClass}: ${failure.reason}`);
    this.parts.chain?.moved(pairOf(entry.owner), entry.lane.key);
  }

  private closeGate(entry: Entry, closedForMs: number, failure: Failure): void {
    if (!Number.isFinite(closedForMs)) {
      this.suspend(entry, failure);
      return;
    }
    const untilMs = this.parts.clock.now() + closedForMs;
    const reason = `${failure.errorClass}: ${failure.reason}`;
    entry.faults = 0;
    if (this.parts.chain?.isLong(closedForMs)) {
      // What the destination asked for must survive us: the record carries it to the next owner.
      this.parts.scheduler.closeScope(this.parts.admission.scopeOf(entry.record, entry.lane.key), untilMs, reason);
      this.parts.chain.park(entry, closedForMs, failure, false);
      return;
    }
    this.parts.scheduler.close(entry, untilMs, reason);
    this.parts.chain?.moved(pairOf(entry.owner), entry.lane.key);
  }

  private suspend(entry: Entry, failure: Failure): void {
    entry.faults = 0;
    this.parts.scheduler.suspend(entry, `${failure.errorClass}: ${failure.reason}`);
    this.parts.chain?.moved(pairOf(entry.owner), entry.lane.key);
  }

  private buryMistake(entry: Entry, error: unknown): void {
    this.logMistake(error, entry.record, 'handler-failed');
    void this.bury(entry, mistakeOf(error));
  }

  /** The offset is finished only when the dead letter is acknowledged: the lane waits, nothing is passed over. */
  private async bury(entry: Entry, failure: Failure): Promise<void> {
    const { chain } = this.parts;
    const holdsKey = chain?.holdsKey(entry, failure) === true;
    const written = await this.parts.deadLetters.write(entry, failure, holdsKey);
    if (isLate(entry, this.parts)) return;
    if (written) {
      this.parts.observer?.deadLettered?.({ group: this.parts.group, topic: entry.record.topic, failure });
      if (holdsKey) chain.hold(entry, failure, `${written.topic}/${written.partition}/${written.offset}`);
      else this.finish(entry);
    } else {
      this.parts.scheduler.release(entry);
    }
    this.parts.noteIdle();
  }

  private observe(entry: Entry, attempt: number, settlement: SettlementKind | undefined, startedMs: number): void {
    this.parts.observer?.attempted?.({
      group: this.parts.group,
      topic: entry.owner.topic,
      attempt,
      records: 1,
      settlement: settlement ?? 'put-back',
      durationMs: performance.now() - startedMs,
    });
  }

  private logMistake(error: unknown, record: IncomingRecord, what: string): void {
    this.parts.logger.error({ ...errorFields(error), ...whereIs(record), group: this.parts.group }, `record.${what}`);
  }
}
