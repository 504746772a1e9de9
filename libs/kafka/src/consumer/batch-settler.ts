import { type Failure, PlatformError } from '@tributary/domain';
import { errorFields, type Logger } from '../connection/logger.js';
import { type Admission, batchEntry } from './admission.js';
import { type DeadLetters, whereIs } from './dead-letters.js';
import type { KeyScheduler } from './key-scheduler.js';
import type { Entry, Member, OwnedPartition } from './owned-partition.js';
import { endProcessSpan, type ProcessSpan, runInSpan, startBatchSpan } from './process-span.js';
import type { BatchHandler, RuntimeObserver, SettlementKind } from './runtime-options.js';
import { isLate, mistakeOf, putBack } from './settling.js';

export interface BatchSettlerParts {
  readonly group: string;
  readonly logger: Logger;
  readonly observer: RuntimeObserver | undefined;
  readonly scheduler: KeyScheduler;
  readonly admission: Admission;
  readonly deadLetters: DeadLetters;
  readonly stopping: AbortSignal;
  /** There is something new to commit. */
  readonly noteProgress: (owner: OwnedPartition) => void;
  /** An attempt is over. */
  readonly noteIdle: () => void;
}

/** As `Settler`, for records that are attempted together: nothing is done for each of them. */
export class BatchSettler {
  constructor(
    private readonly handler: BatchHandler,
    private readonly parts: BatchSettlerParts,
  ) {}

  attempt(entry: Entry): void {
    const startedMs = performance.now();
    const members = entry.members ?? [];
    const records = members.map(({ record }) => record);
    const span = startBatchSpan(records, this.parts.group);
    this.invoke(entry, records, span).then(
      (failures) => {
        const settlement = entry.owner.isOwned ? 'commit' : 'lost';
        endProcessSpan(span, settlement);
        this.observe(entry, members.length - failures.size, settlement, startedMs);
        if (failures.size > 0) this.observe(entry, failures.size, 'deadLetter', startedMs);
        if (!isLate(entry, this.parts)) void this.settle(entry, members, failures);
      },
      (error: unknown) => {
        const settlement = entry.owner.isOwned ? 'put-back' : 'lost';
        endProcessSpan(span, settlement, error);
        this.observe(entry, members.length, settlement, startedMs);
        if (!isLate(entry, this.parts)) this.settleThrown(entry, members, error);
      },
    );
  }

  private invoke(entry: Entry, records: Parameters<BatchHandler>[0], span: ProcessSpan): ReturnType<BatchHandler> {
    const { owner, attempts, firstFailureMs } = entry;
    try {
      return runInSpan(span, () =>
        this.handler(records, { number: attempts + 1, firstFailureMs, signal: owner.signal }),
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** An offset is finished only when its dead letter is acknowledged; those beside it wait for that, which is rare. */
  private async settle(
    entry: Entry,
    members: readonly Member[],
    failures: ReadonlyMap<number, Failure>,
  ): Promise<void> {
    for (const [index, failure] of failures) {
      const member = members[index];
      if (!member) throw new RangeError(`the handler names record ${index} of a batch of ${members.length}`);
      const isSafe = await this.bury(entry, member, failure);
      if (isLate(entry, this.parts)) return;
      if (!isSafe) {
        this.parts.scheduler.release(entry);
        this.parts.noteIdle();
        return;
      }
    }
    this.finish(entry, members);
    this.parts.noteIdle();
  }

  private async bury(entry: Entry, { record, position }: Member, failure: Failure): Promise<boolean> {
    const single: Entry = { ...entry, record, position, members: undefined };
    const written = await this.parts.deadLetters.write(single, failure);
    if (!written) return false;
    this.parts.observer?.deadLettered?.({ group: this.parts.group, topic: record.topic, failure });
    return true;
  }

  private finish(entry: Entry, members: readonly Member[]): void {
    const { owner, bytes } = entry;
    for (const { position } of members) owner.tracker?.finish(position);
    owner.windowRecords -= members.length;
    owner.windowBytes -= bytes;
    this.parts.noteProgress(owner);
    this.parts.admission.resumeWhenRoom(owner);
    this.parts.scheduler.finish(entry);
  }

  private settleThrown(entry: Entry, members: readonly Member[], error: unknown): void {
    if (error instanceof PlatformError && error.retryable) putBack(entry, error, this.parts);
    else if (this.parts.stopping.aborted || entry.owner.signal.aborted) this.parts.scheduler.release(entry);
    else if (members.length > 1) this.takeApart(entry, members, error);
    else void this.buryMistake(entry, members, error);
    this.parts.noteIdle();
  }

  private takeApart(entry: Entry, members: readonly Member[], error: unknown): void {
    const { owner, bytes, record } = entry;
    this.parts.logger.warn({ ...errorFields(error), ...whereIs(record), records: members.length }, 'batch.taken-apart');
    const each = Math.floor(bytes / members.length);
    const lanes = members.map((member, i) =>
      batchEntry(owner, [member], i === 0 ? bytes - each * (members.length - 1) : each, 'alone'),
    );
    for (const single of lanes) this.parts.scheduler.add(single);
    this.parts.scheduler.finish(entry);
  }

  private async buryMistake(entry: Entry, members: readonly Member[], error: unknown): Promise<void> {
    this.parts.logger.error(
      { ...errorFields(error), ...whereIs(entry.record), group: this.parts.group },
      'record.handler-failed',
    );
    await this.settle(entry, members, new Map([[0, mistakeOf(error)]]));
  }

  private observe(entry: Entry, records: number, settlement: SettlementKind, startedMs: number): void {
    this.parts.observer?.attempted?.({
      group: this.parts.group,
      topic: entry.owner.topic,
      attempt: entry.attempts + 1,
      records,
      settlement,
      durationMs: performance.now() - startedMs,
    });
  }
}
