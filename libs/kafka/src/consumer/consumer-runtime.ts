import { deliveryHeaders, type TopicDefinition } from '@tributary/contracts';
import { type Failure, PlatformError, type Settlement } from '@tributary/domain';
import { type Clock, sleep, systemClock } from '../connection/clock.js';
import { errorFields, type Logger } from '../connection/logger.js';
import type { RecordProducer } from '../producer/record-producer.js';
import { headerText, type IncomingRecord } from '../records.js';
import { Committer } from './committer.js';
import { decodeCompletionMap } from './completion-map.js';
import {
  type Assignment,
  type CommittedOffset,
  type ConsumerDriver,
  type DriverListener,
  type FetchedBatch,
  type FetchedMessage,
  partitionName,
} from './consumer-driver.js';
import { type DeathFacts, deadLetterOf } from './dead-letter.js';
import { FetchedRecord } from './fetched-record.js';
import { KeyScheduler } from './key-scheduler.js';
import { type Entry, type Lane, OwnedPartition } from './owned-partition.js';
import { PartitionTracker } from './partition-tracker.js';
import { PauseRegistry } from './pause-registry.js';
import { endProcessSpan, type ProcessSpan, runInSpan, startProcessSpan } from './process-span.js';
import type {
  ConsumeOptions,
  RecordHandler,
  RuntimeObserver,
  RuntimeSnapshot,
  RuntimeState,
  SettlementKind,
} from './runtime-options.js';
import { snapshotHeldLanes, snapshotPartition } from './runtime-snapshot.js';

export interface ConsumerRuntimeParts {
  readonly driver: ConsumerDriver;
  /** Writes dead letters. */
  readonly producer: Pick<RecordProducer, 'send'>;
  readonly topics: readonly TopicDefinition[];
  readonly options: ConsumeOptions;
  readonly handler: RecordHandler;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly observer?: RuntimeObserver;
  /** The consumer is dead and the process should end with an error. */
  readonly onFatal?: (error: Error) => void;
}

type Limits = Required<Pick<ConsumeOptions, 'concurrency' | 'maxWindowRecords' | 'maxWindowBytes' | 'ordering'>>;
const defaults: Limits = {
  concurrency: 64,
  maxWindowRecords: 2_000,
  maxWindowBytes: 8 * 1024 * 1024,
  ordering: 'key',
};
/** How long a rejoin waits for what is in flight: below the session timeout, because nobody sends heartbeats meanwhile. */
const drainBeforeJoinMs = 5_000;
/** For handlers to notice that they were aborted, before the last commit. */
const abortGraceMs = 500;
const firstPutBackMs = 1_000;
const longestPutBackMs = 30_000;
const reloadPauseMs = 500;
/** Lane of records without a key when no lane function says otherwise; cannot be the text of a key, which is latin1. */
const keylessLane = '\u{1f511}';

/**
 * Turns topics into handled records: reads, schedules by lane, executes what the handler decided, commits what is finished.
 * `README.md` of this library lists the promises.
 */
export class ConsumerRuntime implements DriverListener {
  readonly group: string;
  readonly topics: readonly string[];
  private readonly options: ConsumeOptions & Limits;
  private readonly clock: Clock;
  private readonly driver: ConsumerDriver;
  private readonly scheduler: KeyScheduler;
  private readonly pauses: PauseRegistry;
  private readonly committer: Committer;
  private owned = new Map<string, OwnedPartition>();
  private current: RuntimeState = 'new';
  private readonly stopping = new AbortController();
  private readonly idleWaiters = new Set<() => void>();

  constructor(private readonly parts: ConsumerRuntimeParts) {
    const { options, driver, topics } = parts;
    this.options = { ...defaults, ...options };
    this.group = options.group;
    this.topics = topics.map(({ name }) => name);
    this.clock = parts.clock ?? systemClock;
    this.driver = driver;
    this.scheduler = new KeyScheduler({
      clock: this.clock,
      concurrency: this.options.concurrency,
      scopeOf: (entry) => this.scopeOf(entry),
      attempt: (entry) => this.attempt(entry),
    });
    this.pauses = new PauseRegistry(driver, () => this.clock.now());
    this.committer = new Committer({
      driver,
      clock: this.clock,
      logger: parts.logger,
      group: this.group,
      owned: () => this.owned.values(),
      ...(parts.observer && { observer: parts.observer }),
    });
  }

  get state(): RuntimeState {
    return this.current;
  }

  /** Resolves when consuming has begun; waits for a cluster that is down. Need not be awaited: failures go to `onFatal`. */
  async start(): Promise<void> {
    this.current = 'joining';
    try {
      await this.driver.start(this);
    } catch (error) {
      this.onFatal(error as Error);
    }
  }

  /**
   * Finishes what is in flight, up to the deadline, aborts the rest, commits and leaves the group. Records that wait are left
   * uncommitted for the next owner.
   */
  async stop({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    if (this.current === 'stopped') return;
    this.current = 'stopping';
    this.scheduler.halt();
    for (const owner of this.owned.values()) this.pauses.add(owner, 'stopping');
    await this.untilIdle(deadlineMs);
    this.stopping.abort();
    if (this.scheduler.running > 0) await this.abortInFlight();
    this.scheduler.stop();
    await this.committer.close();
    await this.driver.stop();
    this.drop([...this.owned.values()], 'the consumer has stopped');
    this.current = 'stopped';
  }

  /** Closes a scope until `resumeScope`. Attempts in flight are not touched. */
  suspendScope(scope: string, reason = 'suspended'): void {
    this.scheduler.closeScope(scope, Number.POSITIVE_INFINITY, reason);
  }

  /** Opens a closed scope, whoever closed it. @returns false when it was not closed. */
  resumeScope(scope: string): boolean {
    return this.scheduler.open(scope);
  }

  snapshot(): RuntimeSnapshot {
    const owned = [...this.owned.values()];
    return {
      group: this.group,
      topics: this.topics,
      state: this.current,
      running: this.scheduler.running,
      partitions: owned.map(snapshotPartition),
      heldLanes: owned.flatMap(snapshotHeldLanes),
      gates: this.scheduler.snapshotGates(),
      pauses: this.pauses.snapshot(),
    };
  }

  // ---- DriverListener

  onBatch(batch: FetchedBatch): number {
    const owner = this.owned.get(partitionName(batch));
    if (!owner || this.current === 'stopping') return batch.fetchedFrom;
    const tracker = this.trackerOf(owner, batch);
    if (!tracker) return batch.fetchedFrom;
    const taken = this.admit(owner, tracker, batch);
    this.noteProgress(owner);
    this.pauseWhenFull(owner);
    this.scheduler.dispatch();
    return taken;
  }

  async beforeJoin(): Promise<void> {
    if (this.owned.size === 0) return;
    this.scheduler.halt();
    await this.untilIdle(drainBeforeJoinMs);
    await this.committer.commitForRebalance();
  }

  onAssigned({ partitions, isUnbroken }: Assignment): void {
    const before = this.owned;
    this.owned = new Map();
    const fresh: OwnedPartition[] = [];
    for (const at of partitions) {
      const name = partitionName(at);
      const kept = isUnbroken ? before.get(name) : undefined;
      if (kept) before.delete(name);
      else fresh.push(new OwnedPartition(at.topic, at.partition));
      this.owned.set(name, kept ?? (fresh[fresh.length - 1] as OwnedPartition));
    }
    this.drop([...before.values()], 'the partition was given to another member');
    for (const owner of fresh) {
      this.pauses.forget(owner);
      this.pauses.add(owner, 'loading');
    }
    this.pauses.restate(partitions);
    this.continueKept(fresh);
    this.parts.observer?.assigned?.({ group: this.group, partitions: partitions.length, isUnbroken });
    this.parts.logger.info(
      { group: this.group, partitions: partitions.map(partitionName), isUnbroken },
      'consumer.assigned',
    );
    if (this.current === 'joining') this.current = 'ready';
    if (this.current === 'ready') this.scheduler.go();
    void this.load(fresh);
  }

  onFatal(error: Error): void {
    this.current = 'failed';
    this.scheduler.halt();
    this.parts.logger.error({ ...errorFields(error), group: this.group }, 'consumer.failed');
    this.parts.onFatal?.(error);
  }

  // ---- taking partitions over

  /** The client goes back to the committed offset of a kept partition; what is known need not be fetched again. */
  private continueKept(fresh: readonly OwnedPartition[]): void {
    for (const owner of this.owned.values()) {
      if (fresh.includes(owner)) continue;
      if (owner.tracker) this.driver.seek(owner, owner.tracker.knownEnd);
      else if (this.pauses.has(owner, 'loading')) void this.load([owner]);
    }
  }

  private drop(owners: readonly OwnedPartition[], reason: string): void {
    if (owners.length === 0) return;
    for (const owner of owners) owner.lose(new Error(reason));
    this.scheduler.forgetLost();
  }

  private async load(owners: readonly OwnedPartition[]): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const waiting = owners.filter((owner) => owner.isOwned && !owner.tracker && !owner.isFresh);
      if (waiting.length === 0) return;
      try {
        const topics = [...new Set(waiting.map(({ topic }) => topic))];
        const committed = new Map((await this.driver.committed(topics)).map((at) => [partitionName(at), at]));
        for (const owner of waiting) this.takeOver(owner, committed.get(partitionName(owner)));
        return;
      } catch (error) {
        this.parts.logger.warn({ ...errorFields(error), group: this.group }, 'consumer.offsets-unread');
      }
      await sleep(this.clock, reloadPauseMs, this.stopping.signal);
    }
  }

  private takeOver(owner: OwnedPartition, committed: CommittedOffset | undefined): void {
    if (!owner.isOwned) return;
    if (committed?.offset === undefined) {
      owner.isFresh = true;
    } else {
      try {
        const { finished } = decodeCompletionMap(committed.offset, committed.metadata);
        owner.tracker = new PartitionTracker(committed.offset, finished);
      } catch (error) {
        this.refusePartition(owner, committed, error);
      }
    }
    this.pauses.remove(owner, 'loading');
  }

  private refusePartition(owner: OwnedPartition, { offset, metadata }: CommittedOffset, error: unknown): void {
    this.pauses.add(owner, 'unreadable-map');
    this.parts.logger.error(
      { ...errorFields(error), group: this.group, topic: owner.topic, partition: owner.partition, offset, metadata },
      'partition.stopped: its commit metadata cannot be read; `tributary group accept-offsets` accepts the offset without it',
    );
  }

  // ---- admission

  private trackerOf(owner: OwnedPartition, { fetchedFrom }: FetchedBatch): PartitionTracker | undefined {
    if (!owner.tracker && owner.isFresh) owner.tracker = new PartitionTracker(fetchedFrom);
    return owner.tracker;
  }

  /** @returns one past the last offset that was taken over. */
  private admit(owner: OwnedPartition, tracker: PartitionTracker, batch: FetchedBatch): number {
    const { messages, nextOffset } = batch;
    const fitsWhole = tracker.canAdmit(nextOffset - 1, messages.length);
    for (const message of messages) {
      const offset = Number(message.offset);
      if (tracker.isKnown(offset)) continue;
      if (!fitsWhole && !tracker.canAdmit(offset)) {
        this.pauses.add(owner, 'map');
        return tracker.knownEnd;
      }
      const position = tracker.admit(offset);
      if (position >= 0) this.enqueue(owner, message, position);
    }
    tracker.noteFetchedUpTo(nextOffset);
    return Math.max(tracker.knownEnd, nextOffset);
  }

  private enqueue(owner: OwnedPartition, message: FetchedMessage, position: number): void {
    const record = new FetchedRecord(owner.topic, owner.partition, message);
    const bytes = (message.value?.length ?? 0) + (message.key?.length ?? 0) + 200;
    owner.windowRecords += 1;
    owner.windowBytes += bytes;
    const lane = this.laneOf(owner, record);
    this.scheduler.add({
      owner,
      record,
      position,
      bytes,
      lane,
      next: undefined,
      attempts: 0,
      firstFailureMs: undefined,
      faults: 0,
    });
  }

  private laneOf(owner: OwnedPartition, record: FetchedRecord): Lane {
    const { ordering } = this.options;
    // Without order every record is a lane of its own.
    const key = ordering === 'key' ? this.laneKey(record) : `${this.laneKey(record)}#${record.offsetText}`;
    const known = owner.lanes.get(key);
    if (known) return known;
    const lane = newLane(owner, key);
    owner.lanes.set(key, lane);
    return lane;
  }

  private laneKey(record: FetchedRecord): string {
    const { lane } = this.options;
    if (lane) {
      try {
        return lane(record);
      } catch (error) {
        // Admission must not fail; the handler meets the same record and settles it.
        this.logMistake(error, record, 'lane-failed');
      }
    }
    return record.key?.toString('latin1') ?? keylessLane;
  }

  private scopeOf({ record, lane }: Entry): string {
    const { gateScope } = this.options;
    if (gateScope) {
      try {
        return gateScope(record);
      } catch (error) {
        this.logMistake(error, record, 'gate-scope-failed');
      }
    }
    return (
      headerText(record.rawHeaders, deliveryHeaders.connectionId) ?? `${record.topic}:${record.partition}:${lane.key}`
    );
  }

  private pauseWhenFull(owner: OwnedPartition): void {
    const { maxWindowRecords, maxWindowBytes } = this.options;
    if (owner.windowRecords >= maxWindowRecords || owner.windowBytes >= maxWindowBytes)
      this.pauses.add(owner, 'window');
  }

  private resumeWhenRoom(owner: OwnedPartition): void {
    const { maxWindowRecords, maxWindowBytes } = this.options;
    const hasRoom = owner.windowRecords <= maxWindowRecords / 2 && owner.windowBytes <= maxWindowBytes / 2;
    if (hasRoom) this.pauses.remove(owner, 'window');
    if (owner.tracker?.hasRoom) this.pauses.remove(owner, 'map');
  }

  // ---- attempts

  private attempt(entry: Entry): void {
    const startedMs = performance.now();
    const number = entry.attempts + 1;
    const span = startProcessSpan(entry.record, this.group, number);
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

  private invoke(entry: Entry, number: number, span: ProcessSpan): Promise<Settlement> {
    const { owner, record, firstFailureMs } = entry;
    try {
      return runInSpan(span, () => this.parts.handler(record, { number, firstFailureMs, signal: owner.signal }));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  private settle(entry: Entry, settlement: Settlement): void {
    if (this.isLate(entry)) return;
    switch (settlement?.to) {
      case 'commit':
        this.finish(entry);
        break;
      case 'retry':
        this.retryLater(entry, settlement.delayMs, settlement.failure);
        break;
      case 'gate':
        this.closeGate(entry, this.clock.now() + settlement.closedForMs, settlement.failure);
        break;
      case 'suspend':
        this.closeGate(entry, Number.POSITIVE_INFINITY, settlement.failure);
        break;
      case 'deadLetter':
        void this.bury(entry, settlement.failure);
        break;
      default:
        this.settleThrown(entry, new TypeError(`the handler returned ${JSON.stringify(settlement)}, not a settlement`));
    }
    this.noteIdle();
  }

  private settleThrown(entry: Entry, error: unknown): void {
    if (this.isLate(entry)) return;
    if (error instanceof PlatformError && error.retryable) this.putBack(entry, error);
    else if (this.stopping.signal.aborted || entry.owner.signal.aborted) this.scheduler.release(entry);
    else this.buryMistake(entry, error);
    this.noteIdle();
  }

  /** The partition is gone or was given up: the result does not count. */
  private isLate(entry: Entry): boolean {
    if (entry.owner.isOwned) return false;
    this.scheduler.release(entry);
    this.noteIdle();
    this.scheduler.dispatch();
    return true;
  }

  private finish(entry: Entry): void {
    const { owner } = entry;
    owner.tracker?.finish(entry.position);
    owner.windowRecords -= 1;
    owner.windowBytes -= entry.bytes;
    this.noteProgress(owner);
    this.resumeWhenRoom(owner);
    this.scheduler.finish(entry);
  }

  private retryLater(entry: Entry, delayMs: number, failure: Failure): void {
    entry.attempts += 1;
    entry.firstFailureMs ??= this.clock.now();
    entry.faults = 0;
    this.scheduler.hold(entry, delayMs, `${failure.errorClass}: ${failure.reason}`);
  }

  private closeGate(entry: Entry, untilMs: number, failure: Failure): void {
    entry.faults = 0;
    this.scheduler.close(entry, untilMs, `${failure.errorClass}: ${failure.reason}`);
  }

  // Something the handler needs does not answer. That says nothing about the record, so it waits as long as it takes.
  private putBack(entry: Entry, error: PlatformError): void {
    entry.faults += 1;
    const delayMs = Math.min(firstPutBackMs * 2 ** (entry.faults - 1), longestPutBackMs);
    const line = { ...errorFields(error), ...whereIs(entry.record), code: error.code, delayMs };
    this.parts.logger[entry.faults === 1 ? 'warn' : 'debug'](line, 'record.put-back');
    this.scheduler.hold(entry, delayMs, `${error.code}: ${error.message}`);
  }

  private buryMistake(entry: Entry, error: unknown): void {
    this.logMistake(error, entry.record, 'handler-failed');
    const code = error instanceof PlatformError ? error.code : error instanceof Error ? error.name : typeof error;
    const reason = error instanceof Error ? error.message : String(error);
    void this.bury(entry, { errorClass: 'invalid', code, reason, stage: 'handler' });
  }

  // ---- dead letters

  /** The offset is finished only when the dead letter is acknowledged: the lane waits, nothing is passed over. */
  private async bury(entry: Entry, failure: Failure): Promise<void> {
    const { record } = entry;
    const facts: DeathFacts = {
      group: this.group,
      attempts: entry.attempts + 1,
      firstFailureMs: entry.firstFailureMs,
      failure,
    };
    const isSafe = await this.persistently(entry, 'dead-letter.unwritten', async () => {
      const { deadLetterTopic } = this.options;
      const topic = typeof deadLetterTopic === 'function' ? deadLetterTopic(record) : deadLetterTopic;
      await this.parts.producer.send(deadLetterOf(record, topic, facts));
    });
    const { onDeadLetter } = this.options;
    const isTold =
      isSafe &&
      (!onDeadLetter || (await this.persistently(entry, 'dead-letter.untold', () => onDeadLetter(record, failure))));
    if (this.isLate(entry)) return;
    if (isTold) {
      this.parts.observer?.deadLettered?.({ group: this.group, topic: record.topic, failure });
      this.finish(entry);
    } else {
      this.scheduler.release(entry);
    }
    this.noteIdle();
  }

  /** Repeats until it works; false when the partition is lost or the process stops first. */
  private async persistently(entry: Entry, message: string, act: () => Promise<void>): Promise<boolean> {
    for (let pauseMs = firstPutBackMs; !entry.owner.signal.aborted; pauseMs = Math.min(pauseMs * 2, longestPutBackMs)) {
      try {
        await act();
        return entry.owner.isOwned;
      } catch (error) {
        this.parts.logger.error({ ...errorFields(error), ...whereIs(entry.record), pauseMs }, message);
      }
      await sleep(this.clock, pauseMs, entry.owner.signal);
    }
    return false;
  }

  // ---- bookkeeping

  private noteProgress(owner: OwnedPartition): void {
    owner.version += 1;
    this.committer.schedule();
  }

  private untilIdle(deadlineMs: number): Promise<void> {
    if (this.scheduler.running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        this.idleWaiters.delete(done);
        resolve();
      };
      const timer = this.clock.after(deadlineMs, done);
      this.idleWaiters.add(done);
    });
  }

  private noteIdle(): void {
    if (this.idleWaiters.size > 0 && this.scheduler.running === 0) for (const done of this.idleWaiters) done();
  }

  private async abortInFlight(): Promise<void> {
    this.parts.logger.warn({ group: this.group, inFlight: this.scheduler.running }, 'consumer.aborts-in-flight');
    for (const owner of this.owned.values()) owner.abort(new Error('the process is stopping'));
    await this.untilIdle(abortGraceMs);
  }

  private observe(entry: Entry, attempt: number, settlement: SettlementKind | undefined, startedMs: number): void {
    this.parts.observer?.attempted?.({
      group: this.group,
      topic: entry.owner.topic,
      attempt,
      settlement: settlement ?? 'put-back',
      durationMs: performance.now() - startedMs,
    });
  }

  private logMistake(error: unknown, record: IncomingRecord, what: string): void {
    this.parts.logger.error({ ...errorFields(error), ...whereIs(record), group: this.group }, `record.${what}`);
  }
}

const whereIs = ({ topic, partition, offset }: IncomingRecord) => ({ topic, partition, offset: String(offset) });

function newLane(owner: OwnedPartition, key: string): Lane {
  return {
    owner,
    key,
    head: undefined,
    tail: undefined,
    state: 'idle',
    heldSinceMs: 0,
    heldUntilMs: 0,
    reason: '',
    nextReady: undefined,
  };
}
