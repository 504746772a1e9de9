import type { ClockTimer } from '../connection/clock.js';
import { errorFields } from '../connection/logger.js';
import {
  type Assignment,
  type DriverListener,
  type FetchedBatch,
  type Join,
  partitionName,
} from './consumer-driver.js';
import { OwnedPartition } from './owned-partition.js';
import type { PartitionTracker } from './partition-tracker.js';
import { pairOf, type RetryPair } from './retry/retry-pair.js';
import { type ConsumerRuntimeParts, RuntimeComponents } from './runtime-components.js';
import type { RuntimeSnapshot, RuntimeState } from './runtime-options.js';
import { snapshotHeldLanes, snapshotParked, snapshotPartition } from './runtime-snapshot.js';

/** How long a rejoin waits for what is in flight: below the session timeout, because nobody sends heartbeats meanwhile. */
const drainBeforeJoinMs = 5_000;
const keepHouseEveryMs = 10_000;
/** For handlers to notice that they were aborted, before the last commit. */
const abortGraceMs = 500;

/**
 * Turns topics into handled records: reads, schedules by lane, executes what the handler decided, commits what is finished.
 * `README.md` of this library lists the promises.
 */
export class ConsumerRuntime implements DriverListener {
  readonly group: string;
  readonly topics: readonly string[];
  private readonly components: RuntimeComponents;
  private owned = new Map<string, OwnedPartition>();
  private current: RuntimeState = 'new';
  private houseTimer: ClockTimer | undefined;
  private readonly stopping = new AbortController();
  private readonly idleWaiters = new Set<() => void>();

  constructor(private readonly parts: ConsumerRuntimeParts) {
    this.group = parts.options.group;
    this.topics = parts.topics.map(({ name }) => name);
    this.components = new RuntimeComponents(parts, {
      owned: () => this.owned.values(),
      noteIdle: () => this.noteIdle(),
      stopping: this.stopping.signal,
    });
  }

  get state(): RuntimeState {
    return this.current;
  }

  /** Resolves when consuming has begun; waits for a cluster that is down. Need not be awaited: failures go to `onFatal`. */
  async start(): Promise<void> {
    this.current = 'joining';
    this.keepHouse();
    try {
      await this.parts.driver.start(this);
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
    this.houseTimer?.cancel();
    this.components.scheduler.halt();
    for (const owner of this.owned.values()) this.components.pauses.add(owner, 'stopping');
    await this.untilIdle(deadlineMs);
    this.stopping.abort();
    if (this.running > 0) await this.abortInFlight();
    this.components.scheduler.stop();
    this.components.chain?.stop();
    await this.components.committer.close();
    await this.parts.driver.stop();
    this.drop([...this.owned.values()], 'the consumer has stopped');
    this.current = 'stopped';
  }

  /** Closes a scope until `resumeScope`. Attempts in flight are not touched. */
  suspendScope(scope: string, reason = 'suspended'): void {
    this.components.scheduler.closeScope(scope, Number.POSITIVE_INFINITY, reason);
  }

  /** Ends a suspension, whoever made it; what the destination asked for holds on. @returns false when it was not suspended. */
  resumeScope(scope: string): boolean {
    return this.components.scheduler.resume(scope);
  }

  snapshot(): RuntimeSnapshot {
    const owned = [...this.owned.values()];
    return {
      group: this.group,
      topics: this.topics,
      state: this.current,
      running: this.components.scheduler.running,
      partitions: owned.map(snapshotPartition),
      heldLanes: owned.flatMap(snapshotHeldLanes),
      gates: this.components.scheduler.snapshotGates(),
      pauses: this.components.pauses.snapshot(),
      parked: owned.flatMap(snapshotParked),
    };
  }

  // ---- DriverListener

  onBatch(batch: FetchedBatch): number {
    const owner = this.owned.get(partitionName(batch));
    if (!owner || this.current === 'stopping') return batch.fetchedFrom;
    const pair = pairOf(owner);
    if (pair?.retry === owner) return this.onRetryBatch(pair, batch);
    const tracker = this.components.admission.trackerOf(owner, batch);
    if (!tracker) return batch.fetchedFrom;
    const taken = this.components.admission.admit(owner, tracker, batch);
    this.components.noteProgress(owner);
    this.components.admission.pauseWhenFull(owner);
    if (pair) {
      this.components.chain?.mainWasRead(pair);
      this.components.chain?.makeRoom(pair);
    }
    this.components.scheduler.dispatch();
    return taken;
  }

  private onRetryBatch(pair: RetryPair, batch: FetchedBatch): number {
    const next = this.components.chain?.onRetryBatch(pair, batch) ?? batch.fetchedFrom;
    this.components.takeover?.continueScan(pair);
    this.components.scheduler.dispatch();
    return next;
  }

  async beforeJoin(join: Join): Promise<void> {
    if (this.owned.size === 0) return;
    this.components.scheduler.halt();
    await this.untilIdle(drainBeforeJoinMs);
    await this.components.committer.commitForJoin(join);
  }

  onAssigned({ partitions, isUnbroken }: Assignment): void {
    const before = this.owned;
    this.owned = new Map();
    const fresh: OwnedPartition[] = [];
    for (const at of partitions) {
      const name = partitionName(at);
      const kept = isUnbroken || this.parts.plantedBug === 'state-kept' ? before.get(name) : undefined;
      if (kept) before.delete(name);
      else fresh.push(new OwnedPartition(at.topic, at.partition));
      this.owned.set(name, kept ?? (fresh[fresh.length - 1] as OwnedPartition));
    }
    this.drop([...before.values()], 'the partition was given to another member');
    for (const owner of fresh) {
      this.components.pauses.forget(owner);
      this.components.pauses.add(owner, 'loading');
    }
    this.components.pauses.restate(partitions);
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
    void this.components.loader.load(fresh.filter(({ pair }) => !pair));
    if (taken.length > 0) void this.components.takeover?.take(taken);
  }

  onHeartbeat(): void {
    this.components.scheduler.dispatch();
  }

  onFatal(error: Error): void {
    this.current = 'failed';
    this.houseTimer?.cancel();
    this.components.scheduler.halt();
    this.parts.logger.error({ ...errorFields(error), group: this.group }, 'consumer.failed');
    this.parts.onFatal?.(error);
  }

  // ---- taking partitions over

  /** Undefined: the assignment is impossible, and the consumer ends. */
  private pairUp(): RetryPair[] | undefined {
    if (!this.components.takeover) return [];
    try {
      return this.components.takeover.pairUp(this.owned);
    } catch (error) {
      this.onFatal(error as Error);
      return undefined;
    }
  }

  /** Attempts go on. What we committed as drained is not drained any more: that must be known before we act. */
  private async goOn(): Promise<void> {
    const kept = [...this.components.pairs()].filter(({ isScanned }) => isScanned);
    const { owned } = this;
    if (kept.length > 0) {
      for (const { main } of kept) this.components.noteProgress(main);
      await this.components.takeover?.untilCommitted(() => this.owned === owned);
      if (this.owned !== owned) return;
    }
    if (this.current === 'ready') this.components.scheduler.go();
  }

  /** The client goes back to the committed offset of a kept partition; what is known need not be fetched again. */
  private continueKept(fresh: readonly OwnedPartition[]): void {
    for (const owner of this.owned.values()) {
      if (fresh.includes(owner)) continue;
      if (owner.tracker) this.parts.driver.seek(owner, this.fetchAgainFrom(owner, owner.tracker));
      else if (owner.pair) continue;
      else if (this.components.pauses.has(owner, 'loading')) void this.components.loader.load([owner]);
    }
  }

  private fetchAgainFrom(owner: OwnedPartition, tracker: PartitionTracker): number {
    const pair = pairOf(owner);
    const wanted = pair?.retry === owner ? this.components.chain?.fetchAgainFrom(pair) : undefined;
    return wanted ?? tracker.knownEnd;
  }

  private drop(owners: readonly OwnedPartition[], reason: string): void {
    if (owners.length === 0) return;
    for (const owner of owners) owner.lose(new Error(reason));
    this.components.scheduler.forgetLost();
  }

  // ---- bookkeeping

  private keepHouse(): void {
    this.houseTimer = this.components.clock.after(keepHouseEveryMs, () => {
      if (this.current === 'ready') this.components.keepHouse();
      this.keepHouse();
    });
  }

  private untilIdle(deadlineMs: number): Promise<void> {
    if (this.running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        this.idleWaiters.delete(done);
        resolve();
      };
      const timer = this.components.clock.after(deadlineMs, done);
      this.idleWaiters.add(done);
    });
  }

  /** Attempts and appends under way. */
  private get running(): number {
    return this.components.scheduler.running + (this.components.chain?.appending ?? 0);
  }

  private noteIdle(): void {
    if (this.idleWaiters.size > 0 && this.running === 0) for (const done of this.idleWaiters) done();
  }

  private async abortInFlight(): Promise<void> {
    this.parts.logger.warn(
      { group: this.group, inFlight: this.components.scheduler.running },
      'consumer.aborts-in-flight',
    );
    for (const owner of this.owned.values()) owner.abort(new Error('the process is stopping'));
    await this.untilIdle(abortGraceMs);
  }
}
