import type { Clock } from '../connection/clock.js';
import type { IncomingRecord } from '../records.js';
import { forgetLostIn, type GateKind, type GateSnapshot, waitingIn } from './gates.js';
import type { Lane, OwnedPartition } from './owned-partition.js';
import { rootOf } from './scopes.js';
import type { HeapTimer, TimerHeap } from './timer-heap.js';

/** What a policy says about a scope, which is that of the record or its root. */
export interface GateOrder {
  readonly scope: string;
  readonly kind: Extract<GateKind, 'breaker' | 'budget' | 'busy'>;
  /** Epoch milliseconds before which it need not be asked again. Infinity: not before an attempt of the scope ends. */
  readonly untilMs: number;
  readonly reason: string;
}

/** Rate, concurrency and failures of what is called: asked right before each attempt, told when it is over. */
export interface GatePolicy {
  /** Undefined: go; then `ended` is called exactly once. */
  admit(record: IncomingRecord, scope: string, nowMs: number): GateOrder | undefined;
  /** Scopes to close, or with a time that has come, to ask about again. */
  ended(record: IncomingRecord, scope: string, nowMs: number): readonly GateOrder[];
}

interface PolicyGate {
  readonly scope: string;
  kind: GateOrder['kind'];
  untilMs: number;
  reason: string;
  /** In the order in which they came. */
  waiting: Set<Lane>;
  /** One may ask; the next may when that one was let through. So a thousand lanes do not ask because one place is free. */
  hasTicket: boolean;
  timer: HeapTimer | undefined;
  /** Since when it stands, and how many were let through since then. */
  readonly sinceMs: number;
  served: number;
}

export interface PolicyGatesParts {
  readonly policy: GatePolicy;
  readonly clock: Clock;
  readonly timers: TimerHeap;
  /** Lets a lane ask again. */
  readonly release: (lane: Lane) => void;
  /** Starts what may start. */
  readonly dispatch: () => void;
  /** The gate is gone. */
  readonly opened: (scope: string) => void;
  /** Brings one lane of the scope that waits elsewhere; false when there is none. */
  readonly bringOne: (scope: string) => boolean;
}

/** Who was let through and does not come, because its partition was lost or its record dealt with, holds nobody up for longer. */
const nextTicketMs = 1_000;

/** How long a queue is watched before it is said how long it will take: the first attempts may all be under way still. */
const watchedForMs = 500;

/** Gates that a policy closes. They open for one lane after the other. */
export class PolicyGates {
  private readonly gates = new Map<string, PolicyGate>();
  /** Lanes that were let through to ask, by whom. */
  private readonly released = new Map<Lane, PolicyGate>();

  constructor(private readonly parts: PolicyGatesParts) {}

  isClosed(scope: string): boolean {
    return this.standingBefore(scope) !== undefined;
  }

  /** True when nothing but others of the account stands before the scope. */
  isBusy(scope: string): boolean {
    const kinds = [...namesOf(scope)].map((name) => this.gates.get(name)?.kind);
    return kinds.includes('busy') && kinds.every((kind) => kind === undefined || kind === 'busy');
  }

  /** Lanes of a partition that wait for a place at the scope's gate; counted up to a number. */
  queuedAt(scope: string, owner: OwnedPartition, upTo: number): number {
    let count = 0;
    for (const name of namesOf(scope)) {
      for (const lane of this.gates.get(name)?.waiting ?? []) {
        if (lane.owner === owner && isWaiting(lane)) count += 1;
        if (count >= upTo) return count;
      }
    }
    return count;
  }

  /**
   * Lanes of a partition whose turn for a place comes later than in so long, as fast as places became free until now; of each gate
   * the first `spared` are left out.
   */
  *queuedLongerThan(owner: OwnedPartition, waitMs: number, spared: number): Iterable<Lane> {
    const nowMs = this.parts.clock.now();
    for (const { kind, waiting, sinceMs, served } of this.gates.values()) {
      const watchedMs = nowMs - sinceMs;
      if (kind !== 'busy' || watchedMs < watchedForMs) continue;
      const servedInTime = (waitMs / watchedMs) * Math.max(1, served);
      let before = 0;
      for (const lane of waiting) {
        if (lane.state !== 'queued') continue;
        before += 1;
        if (before > Math.max(spared, servedInTime) && lane.owner === owner) yield lane;
      }
    }
  }

  /** @returns why the lane must wait, having queued it; undefined: the attempt counts as under way. */
  ask(lane: Lane, record: IncomingRecord, scope: string): GateOrder | undefined {
    const standing = this.standingBefore(scope);
    if (standing) {
      standing.waiting.add(lane);
      return orderOf(standing);
    }
    const order = this.parts.policy.admit(record, scope, this.parts.clock.now());
    if (!order) {
      this.released.delete(lane);
      this.takeTickets(scope);
      return undefined;
    }
    const gate = this.close(order);
    // It was its turn: it stays the first.
    gate.waiting = new Set([lane, ...gate.waiting]);
    return order;
  }

  /** An attempt is over, however it ended. */
  ended(record: IncomingRecord, scope: string): void {
    const nowMs = this.parts.clock.now();
    const orders = this.parts.policy.ended(record, scope, nowMs);
    for (const order of orders) {
      if (order.untilMs > nowMs) this.close(order);
      else this.askAgain(order);
    }
    if (orders.length > 0) this.parts.dispatch();
  }

  /** A lane that was let through did something else than ask, or was told to wait at another gate: the next one's turn. */
  passOver(lane: Lane): void {
    const gate = this.released.get(lane);
    if (!gate) return;
    this.released.delete(lane);
    if (gate.hasTicket && this.gates.get(gate.scope) === gate) this.giveTicket(gate);
  }

  forgetLost(): void {
    for (const { waiting } of this.gates.values()) forgetLostIn(waiting);
    for (const lane of [...this.released.keys()]) if (!lane.owner.isOwned) this.passOver(lane);
  }

  snapshot(): GateSnapshot[] {
    return [...this.gates.values()].map(({ scope, kind, untilMs, reason, waiting }) => ({
      scope,
      kind,
      closedUntilMs: Number.isFinite(untilMs) ? untilMs : undefined,
      reason,
      waitingLanes: waitingIn(waiting),
    }));
  }

  private standingBefore(scope: string): PolicyGate | undefined {
    if (this.gates.size === 0) return undefined;
    for (const name of namesOf(scope)) {
      const gate = this.gates.get(name);
      if (gate && !gate.hasTicket) return gate;
    }
    return undefined;
  }

  private takeTickets(scope: string): void {
    if (this.gates.size === 0) return;
    for (const name of namesOf(scope)) {
      const gate = this.gates.get(name);
      if (!gate) continue;
      gate.served += 1;
      this.giveTicket(gate);
    }
  }

  private close({ scope, kind, untilMs, reason }: GateOrder): PolicyGate {
    const gate = this.gates.get(scope) ?? newGate(scope, this.parts.clock.now());
    this.gates.set(scope, gate);
    if (gate.timer) gate.timer.cancelled = true;
    Object.assign(gate, { kind, untilMs, reason, hasTicket: false, timer: undefined });
    // Who waited for a place only waits for the destination now, and may be parked to make room for others.
    for (const lane of gate.waiting) {
      if (lane.state !== stateAt(kind) && isWaiting(lane))
        Object.assign(lane, { state: stateAt(kind), heldUntilMs: untilMs, reason });
    }
    if (Number.isFinite(untilMs)) this.arm(gate, untilMs);
    return gate;
  }

  private askAgain({ scope, kind }: GateOrder): void {
    const gate = this.gates.get(scope);
    if (!gate) return;
    gate.kind = kind;
    this.giveTicket(gate);
  }

  private arm(gate: PolicyGate, atMs: number): void {
    if (gate.timer) gate.timer.cancelled = true;
    gate.timer = this.parts.timers.at(atMs, () => {
      if (this.gates.get(gate.scope) !== gate) return;
      this.giveTicket(gate);
      this.parts.dispatch();
    });
  }

  private giveTicket(gate: PolicyGate): void {
    if (gate.timer) gate.timer.cancelled = true;
    gate.hasTicket = true;
    for (const lane of gate.waiting) {
      gate.waiting.delete(lane);
      if (!isWaiting(lane) || !lane.owner.isOwned) continue;
      this.released.set(lane, gate);
      this.parts.release(lane);
      this.arm(gate, this.parts.clock.now() + nextTicketMs);
      // One of those that were parked for want of room takes its place in the queue.
      if (gate.kind === 'busy') this.parts.bringOne(gate.scope);
      return;
    }
    // A destination that fails is asked by one record, wherever that waits.
    if (gate.kind === 'breaker' && this.parts.bringOne(gate.scope)) {
      this.arm(gate, this.parts.clock.now() + nextTicketMs);
      return;
    }
    this.gates.delete(gate.scope);
    this.parts.opened(gate.scope);
  }
}

function* namesOf(scope: string): Iterable<string> {
  const root = rootOf(scope);
  yield root;
  if (root !== scope) yield scope;
}

/** How a lane stands that waits by such an order. */
export const stateAt = (kind: GateOrder['kind']): 'queued' | 'gated' => (kind === 'busy' ? 'queued' : 'gated');

const isWaiting = ({ state }: Lane): boolean => state === 'queued' || state === 'gated';

const newGate = (scope: string, nowMs: number): PolicyGate => ({
  scope,
  kind: 'busy',
  untilMs: 0,
  reason: '',
  waiting: new Set(),
  hasTicket: false,
  timer: undefined,
  sinceMs: nowMs,
  served: 0,
});

const orderOf = ({ scope, kind, untilMs, reason }: PolicyGate): GateOrder => ({ scope, kind, untilMs, reason });
