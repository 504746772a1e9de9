import type { Clock } from '../connection/clock.js';
import { closedUntil, type Gate, type GateSnapshot, Gates } from './gates.js';
import type { Entry, Lane, OwnedPartition } from './owned-partition.js';
import { type GatePolicy, PolicyGates, stateAt } from './policy-gates.js';
import { rootOf } from './scopes.js';
import { TimerHeap } from './timer-heap.js';

export interface SchedulerOptions {
  readonly clock: Clock;
  /** Attempts at the same time, over all partitions. */
  readonly concurrency: number;
  /** Which records share a gate. */
  readonly scopeOf: (entry: Entry) => string;
  /** Makes an attempt; ends in exactly one call of `finish`, `hold`, `close` or `release`. */
  readonly attempt: (entry: Entry) => void;
  /** Asked right before an attempt. `wait`: the lane is blocked until `wake`; `drop`: the lane is given up. Default: go. */
  readonly permit?: (entry: Entry) => 'go' | 'wait' | 'drop';
  readonly onOpen?: (scope: string) => void;
  /** There are free slots and no lane that may start. */
  readonly onStarved?: () => void;
  /** Brings one lane of the scope that waits elsewhere; false when there is none. */
  readonly bringOne?: (scope: string) => boolean;
  /** Absent: only settlements close gates. */
  readonly policy?: GatePolicy | undefined;
  /** False: nothing may start for now, whatever is ready; `dispatch` is called when that changes. Default: true. */
  readonly mayStart?: () => boolean;
}

/**
 * Decides which record is attempted next: one of a lane at a time, partitions in turn, lanes of a partition in turn, nothing
 * behind a closed gate, nothing before it is due.
 */
export class KeyScheduler {
  private readonly timers: TimerHeap;
  private readonly gates: Gates;
  private readonly policyGates: PolicyGates | undefined;
  /** Partitions with ready lanes, in turn. */
  private turn: OwnedPartition[] = [];
  private inFlight = 0;
  private halted = false;
  private dispatching = false;

  constructor(private readonly options: SchedulerOptions) {
    const { clock, policy } = options;
    this.timers = new TimerHeap(clock);
    const { timers } = this;
    this.gates = new Gates({ clock, timers, opened: (gate) => this.opened(gate) });
    this.policyGates =
      policy &&
      new PolicyGates({
        policy,
        clock,
        timers,
        release: (lane) => this.makeReady(lane),
        dispatch: () => this.dispatch(),
        opened: (scope) => options.onOpen?.(scope),
        bringOne: (scope) => options.bringOne?.(scope) ?? false,
      });
  }

  get running(): number {
    return this.inFlight;
  }

  /** Appends to the lane. Call `dispatch` after the last of a batch. */
  add(entry: Entry): void {
    const { lane } = entry;
    lane.records += 1;
    if (lane.tail) {
      lane.tail.next = entry;
      lane.tail = entry;
      return;
    }
    lane.head = entry;
    lane.tail = entry;
    if (lane.state === 'idle') this.makeReady(lane);
  }

  /** No new attempts until `go`. */
  halt(): void {
    this.halted = true;
  }

  go(): void {
    this.halted = false;
    this.dispatch();
  }

  /** The attempt is over and the record leaves its lane. */
  finish(entry: Entry): void {
    this.release(entry);
    const { lane } = entry;
    if (!entry.owner.isOwned) return;
    lane.head = entry.next;
    lane.records -= 1;
    if (lane.head) this.makeReady(lane);
    else this.retire(lane);
    this.dispatch();
  }

  /** The attempt is over and the record is tried again after the delay; its lane waits. */
  hold(entry: Entry, delayMs: number, reason: string): void {
    this.release(entry);
    if (!entry.owner.isOwned) return;
    const { lane } = entry;
    const nowMs = this.options.clock.now();
    this.wait(lane, 'held', nowMs + delayMs, reason);
    this.timers.at(lane.heldUntilMs, () => {
      // It may be held anew, for longer, after it was parked meanwhile.
      if (lane.state !== 'held' || !lane.owner.isOwned || this.options.clock.now() < lane.heldUntilMs) return;
      this.makeReady(lane);
      this.dispatch();
    });
    this.dispatch();
  }

  /** The attempt is over; nothing of the record's scope is attempted before `untilMs`. */
  close(entry: Entry, untilMs: number, reason: string): void {
    this.closeAt(entry, this.options.scopeOf(entry), untilMs, reason);
  }

  /** The attempt is over; nothing that shares the root of the record's scope is attempted before `resume`. */
  suspend(entry: Entry, reason: string): void {
    this.closeAt(entry, rootOf(this.options.scopeOf(entry)), Number.POSITIVE_INFINITY, reason);
  }

  closeScope(scope: string, untilMs: number, reason: string): void {
    this.gates.close(scope, untilMs, reason);
  }

  /** @returns false when the scope was not suspended. */
  resume(scope: string): boolean {
    const wasSuspended = this.gates.resume(scope);
    if (wasSuspended) this.dispatch();
    return wasSuspended;
  }

  /** What the record did at its destination is known. Call it before the attempt is finished, held, closed or released. */
  attemptEnded(entry: Entry): void {
    this.policyGates?.ended(entry.record, this.options.scopeOf(entry));
  }

  /** An attempt ended whose partition is gone, or the record stays where it is because the process stops. */
  release(entry: Entry): void {
    this.inFlight -= 1;
    entry.owner.inFlight -= 1;
  }

  /** Lanes of lost partitions wait for nothing any more. */
  forgetLost(): void {
    this.gates.forgetLost();
    this.policyGates?.forgetLost();
  }

  /** Starts what may start. */
  dispatch(): void {
    if (this.dispatching || this.halted) return;
    this.dispatching = true;
    while (!this.halted && this.inFlight < this.options.concurrency && this.options.mayStart?.() !== false) {
      const lane = this.takeReady();
      if (!lane) {
        this.options.onStarved?.();
        break;
      }
      this.start(lane);
    }
    this.dispatching = false;
  }

  /** Forgets all timers; nothing starts any more. */
  stop(): void {
    this.halted = true;
    this.timers.clear();
  }

  snapshotGates(): GateSnapshot[] {
    return [...this.gates.snapshot(), ...(this.policyGates?.snapshot() ?? [])];
  }

  isClosed(scope: string): boolean {
    return this.gates.before(scope) !== undefined || this.policyGates?.isClosed(scope) === true;
  }

  /** As `isClosed`, and it is closed for a while: not only because others of the account are under way. */
  isShut(scope: string): boolean {
    return this.gates.before(scope) !== undefined || (this.isClosed(scope) && this.policyGates?.isBusy(scope) !== true);
  }

  /** Lanes that wait for a place at the gate of the scope, counted up to a number. */
  queuedAt(scope: string, owner: OwnedPartition, upTo: number): number {
    return this.policyGates?.queuedAt(scope, owner, upTo) ?? 0;
  }

  /** Lanes whose turn for a place comes later than in so long, without the first of each gate. */
  queuedLongerThan(owner: OwnedPartition, waitMs: number, spared: number): Iterable<Lane> {
    return this.policyGates?.queuedLongerThan(owner, waitMs, spared) ?? [];
  }

  /** A blocked lane asks for its permit again. */
  wake(lane: Lane): void {
    if (lane.state === 'blocked') this.makeReady(lane);
  }

  /** The attempt is over; the record leaves its lane, which stands still until `proceed`. */
  detachRunning(entry: Entry): void {
    this.release(entry);
    this.detach(entry.lane, 1);
  }

  /** Takes up to `count` records out of a lane in which nothing is attempted; it stands still until `proceed`. */
  detach(lane: Lane, count: number): Entry[] {
    lane.state = 'parking';
    while (lane.head && lane.parking.length < count) {
      lane.parking.push(lane.head);
      lane.head = lane.head.next;
      lane.records -= 1;
    }
    if (!lane.head) lane.tail = undefined;
    return lane.parking;
  }

  /** What was detached is gone: the lane goes on with the rest. */
  proceed(lane: Lane): void {
    if (lane.state !== 'parking' || !lane.owner.isOwned) return;
    lane.parking = [];
    if (lane.head) this.makeReady(lane);
    else this.retire(lane);
  }

  /** Gives a lane up whose records are dealt with otherwise; nothing of it is being attempted. */
  abandon(lane: Lane): void {
    lane.head = undefined;
    lane.records = 0;
    lane.parking = [];
    this.retire(lane);
  }

  /** Takes one record out of its lane, unless it is being attempted or parked. */
  withdraw(lane: Lane, isIt: (entry: Entry) => boolean): Entry | undefined {
    let before: Entry | undefined;
    let entry = lane.head;
    while (entry && !isIt(entry)) {
      before = entry;
      entry = entry.next;
    }
    if (!entry || (entry === lane.head && lane.state === 'running')) return undefined;
    lane.records -= 1;
    if (before) before.next = entry.next;
    else lane.head = entry.next;
    if (lane.tail === entry) lane.tail = before;
    if (!before) this.headWithdrawn(lane);
    return entry;
  }

  private headWithdrawn(lane: Lane): void {
    if (lane.state === 'ready' || lane.state === 'parking') return;
    if (!lane.head) this.retire(lane);
    else if (lane.state === 'held') this.makeReady(lane);
  }

  private start(lane: Lane): void {
    const entry = this.startable(lane);
    if (!entry) {
      this.policyGates?.passOver(lane);
      return;
    }
    lane.state = 'running';
    this.inFlight += 1;
    lane.owner.inFlight += 1;
    this.options.attempt(entry);
  }

  /** The head of the lane when it may be attempted now; otherwise the lane knows what it waits for. */
  private startable(lane: Lane): Entry | undefined {
    // It was given up or taken out while it stood in the queue.
    if (lane.state !== 'ready') return undefined;
    const entry = lane.head;
    if (!entry) {
      this.retire(lane);
      return undefined;
    }
    const permit = this.options.permit?.(entry) ?? 'go';
    if (permit === 'drop') this.abandon(lane);
    if (permit === 'wait' && lane.state === 'ready')
      this.wait(lane, 'blocked', Number.POSITIVE_INFINITY, 'an earlier record is parked');
    if (permit !== 'go') return undefined;
    return this.passesGates(entry) ? entry : undefined;
  }

  private passesGates(entry: Entry): boolean {
    const { lane, record } = entry;
    if (this.gates.isEmpty && !this.policyGates) return true;
    const scope = this.options.scopeOf(entry);
    const gate = this.gates.before(scope);
    if (gate) {
      this.waitAt(gate, lane);
      return false;
    }
    const order = this.policyGates?.ask(lane, record, scope);
    if (order) this.wait(lane, stateAt(order.kind), order.untilMs, order.reason);
    return !order;
  }

  private closeAt(entry: Entry, scope: string, untilMs: number, reason: string): void {
    this.release(entry);
    const gate = this.gates.close(scope, untilMs, reason);
    if (entry.owner.isOwned) this.waitAt(gate, entry.lane);
    this.dispatch();
  }

  private opened({ scope, waiting }: Gate): void {
    for (const lane of waiting) if (lane.state === 'gated' && lane.owner.isOwned) this.makeReady(lane);
    this.options.onOpen?.(scope);
    this.dispatch();
  }

  private makeReady(lane: Lane): void {
    const { owner } = lane;
    lane.state = 'ready';
    owner.ready.push(lane);
    if (owner.isQueued) return;
    owner.isQueued = true;
    this.turn.push(owner);
  }

  private takeReady(): Lane | undefined {
    for (let owner = this.turn.shift(); owner; owner = this.turn.shift()) {
      owner.isQueued = false;
      const lane = owner.isOwned ? owner.ready.take() : undefined;
      if (!lane) continue;
      if (!owner.ready.isEmpty) {
        owner.isQueued = true;
        this.turn.push(owner);
      }
      return lane;
    }
    return undefined;
  }

  private retire(lane: Lane): void {
    lane.state = 'idle';
    lane.tail = undefined;
    if (lane.owner.lanes.get(lane.key) === lane) lane.owner.lanes.delete(lane.key);
  }

  private waitAt(gate: Gate, lane: Lane): void {
    this.wait(lane, 'gated', closedUntil(gate), gate.reason);
    gate.waiting.add(lane);
  }

  private wait(lane: Lane, state: 'held' | 'gated' | 'queued' | 'blocked', untilMs: number, reason: string): void {
    lane.state = state;
    if (state !== 'held') lane.owner.stuckLanes.add(lane);
    lane.heldSinceMs = this.options.clock.now();
    lane.heldUntilMs = untilMs;
    lane.reason = reason;
    if (state === 'gated' && lane.head) lane.head.gatedSinceMs ??= lane.heldSinceMs;
  }
}
