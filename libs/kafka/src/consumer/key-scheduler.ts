import type { Clock } from '../connection/clock.js';
import type { Entry, Lane, OwnedPartition } from './owned-partition.js';
import { type HeapTimer, TimerHeap } from './timer-heap.js';

export interface GateSnapshot {
  readonly scope: string;
  /** Epoch milliseconds; undefined until someone resumes it. */
  readonly closedUntilMs: number | undefined;
  readonly reason: string;
  readonly waitingLanes: number;
}

interface Gate {
  readonly scope: string;
  untilMs: number;
  reason: string;
  waiting: Lane[];
  timer: HeapTimer | undefined;
}

export interface SchedulerOptions {
  readonly clock: Clock;
  /** Attempts at the same time, over all partitions. */
  readonly concurrency: number;
  /** Which records share a gate. */
  readonly scopeOf: (entry: Entry) => string;
  /** Makes an attempt; ends in exactly one call of `finish`, `hold`, `close` or `release`. */
  readonly attempt: (entry: Entry) => void;
}

/**
 * Decides which record is attempted next: one of a lane at a time, partitions in turn, lanes of a partition in turn, nothing
 * behind a closed gate, nothing before it is due.
 */
export class KeyScheduler {
  private readonly timers: TimerHeap;
  private readonly gates = new Map<string, Gate>();
  /** Partitions with ready lanes, in turn. */
  private turn: OwnedPartition[] = [];
  private inFlight = 0;
  private halted = false;
  private dispatching = false;

  constructor(private readonly options: SchedulerOptions) {
    this.timers = new TimerHeap(options.clock);
  }

  get running(): number {
    return this.inFlight;
  }

  /** Appends to the lane. Call `dispatch` after the last of a batch. */
  add(entry: Entry): void {
    const { lane } = entry;
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
      if (lane.state !== 'held' || !lane.owner.isOwned) return;
      this.makeReady(lane);
      this.dispatch();
    });
    this.dispatch();
  }

  /** The attempt is over; nothing of the record's scope is attempted before `untilMs`. Infinity: before `open`. */
  close(entry: Entry, untilMs: number, reason: string): void {
    this.release(entry);
    const scope = this.options.scopeOf(entry);
    const gate = this.closeScope(scope, untilMs, reason);
    if (entry.owner.isOwned) this.waitAt(gate, entry.lane);
    this.dispatch();
  }

  closeScope(scope: string, untilMs: number, reason: string): Gate {
    const gate = this.gates.get(scope) ?? { scope, untilMs: 0, reason, waiting: [], timer: undefined };
    this.gates.set(scope, gate);
    // Several attempts may have been in flight: the longest wait counts.
    if (untilMs > gate.untilMs) {
      gate.untilMs = untilMs;
      gate.reason = reason;
      this.armGate(gate);
    }
    return gate;
  }

  /** @returns false when the scope was not closed. */
  open(scope: string): boolean {
    const gate = this.gates.get(scope);
    if (!gate) return false;
    if (gate.timer) gate.timer.cancelled = true;
    this.gates.delete(scope);
    for (const lane of gate.waiting) if (lane.state === 'gated' && lane.owner.isOwned) this.makeReady(lane);
    this.dispatch();
    return true;
  }

  /** An attempt ended whose partition is gone, or the record stays where it is because the process stops. */
  release(entry: Entry): void {
    this.inFlight -= 1;
    entry.owner.inFlight -= 1;
  }

  /** Lanes of lost partitions wait for nothing any more. */
  forgetLost(): void {
    for (const gate of this.gates.values()) gate.waiting = gate.waiting.filter((lane) => lane.owner.isOwned);
  }

  /** Starts what may start. */
  dispatch(): void {
    if (this.dispatching || this.halted) return;
    this.dispatching = true;
    while (!this.halted && this.inFlight < this.options.concurrency) {
      const lane = this.takeReady();
      if (!lane) break;
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
    return [...this.gates.values()].map(({ scope, untilMs, reason, waiting }) => ({
      scope,
      closedUntilMs: Number.isFinite(untilMs) ? untilMs : undefined,
      reason,
      waitingLanes: waiting.filter((lane) => lane.owner.isOwned).length,
    }));
  }

  private start(lane: Lane): void {
    const entry = lane.head as Entry;
    if (this.gates.size > 0) {
      const gate = this.gates.get(this.options.scopeOf(entry));
      if (gate) {
        this.waitAt(gate, lane);
        return;
      }
    }
    lane.state = 'running';
    this.inFlight += 1;
    lane.owner.inFlight += 1;
    this.options.attempt(entry);
  }

  private makeReady(lane: Lane): void {
    const { owner } = lane;
    lane.state = 'ready';
    lane.nextReady = undefined;
    if (owner.lastReady) owner.lastReady.nextReady = lane;
    else owner.firstReady = lane;
    owner.lastReady = lane;
    if (owner.isQueued) return;
    owner.isQueued = true;
    this.turn.push(owner);
  }

  private takeReady(): Lane | undefined {
    for (let owner = this.turn.shift(); owner; owner = this.turn.shift()) {
      owner.isQueued = false;
      const lane = owner.isOwned ? owner.firstReady : undefined;
      if (!lane) continue;
      owner.firstReady = lane.nextReady;
      if (!owner.firstReady) owner.lastReady = undefined;
      else {
        owner.isQueued = true;
        this.turn.push(owner);
      }
      lane.nextReady = undefined;
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
    this.wait(lane, 'gated', gate.untilMs, gate.reason);
    gate.waiting.push(lane);
  }

  private wait(lane: Lane, state: 'held' | 'gated', untilMs: number, reason: string): void {
    lane.state = state;
    lane.heldSinceMs = this.options.clock.now();
    lane.heldUntilMs = untilMs;
    lane.reason = reason;
  }

  private armGate(gate: Gate): void {
    if (gate.timer) gate.timer.cancelled = true;
    gate.timer = undefined;
    if (!Number.isFinite(gate.untilMs)) return;
    gate.timer = this.timers.at(gate.untilMs, () => this.open(gate.scope));
  }
}
