import type { TopicDefinition } from '@tributary/contracts';
import { type Failure, PlatformError, type Settlement } from '@tributary/domain';
import { type Clock, sleep, systemClock } from '../connection/clock.js';
import { errorFields, type Logger } from '../connection/logger.js';
import type { RecordProducer } from '../producer/record-producer.js';
import type { IncomingRecord } from '../records.js';
import { Admission } from './admission.js';
import { Committer } from './committer.js';
import { decodeCompletionMap } from './completion-map.js';
import {
  type Assignment,
  type CommittedOffset,
  type ConsumerDriver,
  type DriverListener,
  type FetchedBatch,
  partitionName,
} from './consumer-driver.js';
import { DeadLetters, whereIs } from './dead-letters.js';
import { KeyScheduler } from './key-scheduler.js';
import { type Entry, OwnedPartition } from './owned-partition.js';
import { PartitionTracker } from './partition-tracker.js';
import { PauseRegistry } from './pause-registry.js';
import { endProcessSpan, type ProcessSpan, runInSpan, startProcessSpan } from './process-span.js';
import { PairTakeover } from './retry/pair-takeover.js';
import { RetryChain } from './retry/retry-chain.js';
import { pairOf, type RetryPair } from './retry/retry-pair.js';
import { defaultLongerThanMs, defaultTakeover, type PlantedBug } from './retry/retry-rules.js';
import type {
  ConsumeOptions,
  RecordHandler,
  RetryOptions,
  RuntimeObserver,
  RuntimeSnapshot,
  RuntimeState,
  SettlementKind,
} from './runtime-options.js';
import { snapshotHeldLanes, snapshotParked, snapshotPartition } from './runtime-snapshot.js';

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
  /** Breaks one rule, so that the simulation can prove that it notices. */
  readonly plantedBug?: PlantedBug;
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
  private readonly admission: Admission;
  private readonly deadLetters: DeadLetters;
  /** Undefined without a retry topic. */
  private readonly chain: RetryChain | undefined;
  private readonly takeover: PairTakeover | undefined;
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
      scopeOf: ({ record, lane }) => this.admission.scopeOf(record, lane.key),
      attempt: (entry) => this.attempt(entry),
      permit: (entry) => this.chain?.permit(entry) ?? 'go',
      onOpen: (scope) => this.chain?.onOpen(this.pairs(), scope),
      bringOne: (scope) => this.chain?.bringOne(this.pairs(), scope) ?? false,
      policy: this.options.gatePolicy,
    });
    this.pauses = new PauseRegistry(driver, () => this.clock.now(), parts.plantedBug);
    this.admission = new Admission({
      options: this.options,
      scheduler: () => this.scheduler,
      pauses: this.pauses,
      logger: parts.logger,
      isGhost: (owner, record, lane, position) => this.chain?.dropGhost(owner, record, lane, position) ?? false,
      mustReadOn,
    });
    this.deadLetters = new DeadLetters({
      options: this.options,
      producer: parts.producer,
      logger: parts.logger,
      clock: this.clock,
    });
    this.committer = new Committer({
      driver,
      clock: this.clock,
      logger: parts.logger,
      group: this.group,
      owned: () => this.owned.values(),
      ...(parts.observer && { observer: parts.observer }),
      onAcknowledged: (versions) => this.onCommitted(versions),
      ...(parts.plantedBug && { plantedBug: parts.plantedBug }),
    });
    const retries = retryOptionsOf(this.options);
    this.chain = retries && this.newChain(retries);
    this.takeover = retries && this.newTakeover(retries);
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
    if (this.running > 0) await this.abortInFlight();
    this.scheduler.stop();
    this.chain?.stop();
    await this.committer.close();
    await this.driver.stop();
    this.drop([...this.owned.values()], 'the consumer has stopped');
    this.current = 'stopped';
  }

  /** Closes a scope until `resumeScope`. Attempts in flight are not touched. */
  suspendScope(scope: string, reason = 'suspended'): void {
    this.scheduler.closeScope(scope, Number.POSITIVE_INFINITY, reason);
  }

  /** Ends a suspension, whoever made it; what the destination asked for holds on. @returns false when it was not suspended. */
  resumeScope(scope: string): boolean {
    return this.scheduler.resume(scope);
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
      parked: owned.flatMap(snapshotParked),
    };
  }

  // ---- DriverListener

  onBatch(batch: FetchedBatch): number {
    const owner = this.owned.get(partitionName(batch));
    if (!owner || this.current === 'stopping') return batch.fetchedFrom;
    const pair = pairOf(owner);
    if (pair?.retry === owner) return this.onRetryBatch(pair, batch);
    const tracker = this.admission.trackerOf(owner, batch);
    if (!tracker) return batch.fetchedFrom;
    const taken = this.admission.admit(owner, tracker, batch);
    this.noteProgress(owner);
    this.admission.pauseWhenFull(owner);
    if (pair) {
      this.chain?.mainWasRead(pair);
      this.chain?.makeRoom(pair);
    }
    this.scheduler.dispatch();
    return taken;
  }

  private onRetryBatch(pair: RetryPair, batch: FetchedBatch): number {
    const next = this.chain?.onRetryBatch(pair, batch) ?? batch.fetchedFrom;
    this.takeover?.continueScan(pair);
    this.scheduler.dispatch();
    return next;
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
    const taken = this.pairUp();
    if (!taken) return;
    this.continueKept(fresh);
    this.parts.observer?.assigned?.({ group: this.group, partitions: partitions.length, isUnbroken });
    this.parts.logger.info(
      { group: this.group, partitions: partitions.map(partitionName), isUnbroken },
      'consumer.assigned',
    );
    if (this.current === 'joining') this.current = 'ready';
    void this.goOn();
    void this.load(fresh.filter(({ pair }) => !pair));
    if (taken.length > 0) void this.takeover?.take(taken);
  }

  onFatal(error: Error): void {
    this.current = 'failed';
    this.scheduler.halt();
    this.parts.logger.error({ ...errorFields(error), group: this.group }, 'consumer.failed');
    this.parts.onFatal?.(error);
  }

  // ---- taking partitions over

  /** Undefined: the assignment is impossible, and the consumer ends. */
  private pairUp(): RetryPair[] | undefined {
    if (!this.takeover) return [];
    try {
      return this.takeover.pairUp(this.owned);
    } catch (error) {
      this.onFatal(error as Error);
      return undefined;
    }
  }

  /** Attempts go on. What we committed as drained is not drained any more: that must be known before we act. */
  private async goOn(): Promise<void> {
    const kept = [...this.pairs()].filter(({ isScanned }) => isScanned);
    const { owned } = this;
    if (kept.length > 0) {
      for (const { main } of kept) this.noteProgress(main);
      await this.takeover?.untilCommitted(() => this.owned === owned);
      if (this.owned !== owned) return;
    }
    if (this.current === 'ready') this.scheduler.go();
  }

  private *pairs(): Iterable<RetryPair> {
    for (const owner of this.owned.values()) {
      const pair = pairOf(owner);
      if (pair?.main === owner) yield pair;
    }
  }

  private newChain(retries: RetryOptions): RetryChain {
    const { producer, logger, plantedBug } = this.parts;
    return new RetryChain({
      mainTopic: this.mainTopic(retries),
      retries,
      options: this.options,
      driver: this.driver,
      clock: this.clock,
      logger,
      producer,
      scheduler: this.scheduler,
      pauses: this.pauses,
      admission: this.admission,
      committer: this.committer,
      deadLetters: this.deadLetters,
      noteProgress: (owner) => this.noteProgress(owner),
      noteIdle: () => this.noteIdle(),
      ...(plantedBug && { plantedBug }),
    });
  }

  private newTakeover(retries: RetryOptions): PairTakeover {
    const { logger, plantedBug } = this.parts;
    return new PairTakeover({
      mainTopic: this.mainTopic(retries),
      retryTopic: retries.topic.name,
      group: this.group,
      takeover: retries.takeover,
      driver: this.driver,
      clock: this.clock,
      logger,
      pauses: this.pauses,
      committer: this.committer,
      noteProgress: (owner) => this.noteProgress(owner),
      refuse: (owner, at, error) => this.refusePartition(owner, at, error),
      scanned: (pair) => this.chain?.scanned(pair),
      stopping: this.stopping.signal,
      ...(plantedBug && { plantedBug }),
    });
  }

  private mainTopic({ topic }: RetryOptions): string {
    const [main, ...more] = this.topics.filter((name) => name !== topic.name);
    if (main !== undefined && more.length === 0 && this.topics.includes(topic.name)) return main;
    throw new TypeError(
      `group ${this.group} has the retry topic ${topic.name}, so it must consume that and one other, not ${this.topics.join(', ')}`,
    );
  }

  private onCommitted(versions: ReadonlyMap<OwnedPartition, number>): void {
    for (const [owner, version] of versions) this.chain?.onCommitted(owner, version);
  }

  /** The client goes back to the committed offset of a kept partition; what is known need not be fetched again. */
  private continueKept(fresh: readonly OwnedPartition[]): void {
    for (const owner of this.owned.values()) {
      if (fresh.includes(owner)) continue;
      if (owner.tracker) this.driver.seek(owner, this.fetchAgainFrom(owner, owner.tracker));
      else if (owner.pair) continue;
      else if (this.pauses.has(owner, 'loading')) void this.load([owner]);
    }
  }

  private fetchAgainFrom(owner: OwnedPartition, tracker: PartitionTracker): number {
    const pair = pairOf(owner);
    const wanted = pair?.retry === owner ? this.chain?.fetchAgainFrom(pair) : undefined;
    return wanted ?? tracker.knownEnd;
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

  private refusePartition(
    owner: OwnedPartition,
    { offset, metadata }: Pick<CommittedOffset, 'offset' | 'metadata'>,
    error: unknown,
  ): void {
    this.pauses.add(owner, 'unreadable-map');
    this.parts.logger.error(
      { ...errorFields(error), group: this.group, topic: owner.topic, partition: owner.partition, offset, metadata },
      'partition.stopped: its commit metadata cannot be read; `tributary group accept-offsets` accepts the offset without it',
    );
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
    this.scheduler.attemptEnded(entry);
    if (this.isLate(entry)) return;
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
    this.noteIdle();
  }

  private settleThrown(entry: Entry, error: unknown): void {
    this.scheduler.attemptEnded(entry);
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
    if (!entry.copy) {
      owner.tracker?.finish(entry.position);
      owner.windowRecords -= 1;
      owner.windowBytes -= entry.bytes;
      this.noteProgress(owner);
      this.admission.resumeWhenRoom(owner);
    }
    this.chain?.noteFinished(entry);
    this.scheduler.finish(entry);
    this.chain?.moved(pairOf(owner), entry.copy?.lane ?? entry.lane.key);
  }

  private retryLater(entry: Entry, delayMs: number, failure: Failure): void {
    if (this.chain?.isLong(delayMs)) {
      this.chain.park(entry, delayMs, failure, true);
      return;
    }
    if (this.chain && entry.copy) {
      this.chain.waitInPlace(entry, delayMs);
      return;
    }
    entry.attempts += 1;
    entry.firstFailureMs ??= this.clock.now();
    entry.faults = 0;
    this.scheduler.hold(entry, delayMs, `${failure.errorClass}: ${failure.reason}`);
    this.chain?.moved(pairOf(entry.owner), entry.lane.key);
  }

  private closeGate(entry: Entry, closedForMs: number, failure: Failure): void {
    if (!Number.isFinite(closedForMs)) {
      this.suspend(entry, failure);
      return;
    }
    const untilMs = this.clock.now() + closedForMs;
    const reason = `${failure.errorClass}: ${failure.reason}`;
    entry.faults = 0;
    if (this.chain?.isLong(closedForMs)) {
      // What the destination asked for must survive us: the record carries it to the next owner.
      this.scheduler.closeScope(this.admission.scopeOf(entry.record, entry.lane.key), untilMs, reason);
      this.chain.park(entry, closedForMs, failure, false);
      return;
    }
    this.scheduler.close(entry, untilMs, reason);
    this.chain?.moved(pairOf(entry.owner), entry.lane.key);
  }

  private suspend(entry: Entry, failure: Failure): void {
    entry.faults = 0;
    this.scheduler.suspend(entry, `${failure.errorClass}: ${failure.reason}`);
    this.chain?.moved(pairOf(entry.owner), entry.lane.key);
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
    const isWritten = await this.deadLetters.write(entry, failure);
    if (this.isLate(entry)) return;
    if (isWritten) {
      this.parts.observer?.deadLettered?.({ group: this.group, topic: entry.record.topic, failure });
      this.finish(entry);
    } else {
      this.scheduler.release(entry);
    }
    this.noteIdle();
  }

  // ---- bookkeeping

  private noteProgress(owner: OwnedPartition): void {
    owner.version += 1;
    this.committer.schedule();
  }

  private untilIdle(deadlineMs: number): Promise<void> {
    if (this.running === 0) return Promise.resolve();
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

  /** Attempts and appends under way. */
  private get running(): number {
    return this.scheduler.running + (this.chain?.appending ?? 0);
  }

  private noteIdle(): void {
    if (this.idleWaiters.size > 0 && this.running === 0) for (const done of this.idleWaiters) done();
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

/** Below the highest parked record main is always read: the parked one waits for it, so a full window would wait for itself. */
function mustReadOn(owner: OwnedPartition): boolean {
  const pair = pairOf(owner);
  return pair !== undefined && (owner.tracker?.knownEnd ?? 0) <= pair.index.highestOrigin;
}

function retryOptionsOf({ retries }: ConsumeOptions): RetryOptions | undefined {
  return retries && { longerThanMs: defaultLongerThanMs, fence: 'cross', takeover: defaultTakeover, ...retries };
}
