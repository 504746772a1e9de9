import type { Clock } from '../connection/clock.js';
import type { Lane } from './owned-partition.js';
import { rootOf } from './scopes.js';
import type { HeapTimer, TimerHeap } from './timer-heap.js';

export type GateKind =
  /** The destination asked for a pause, or a handler did. */
  | 'closed'
  /** Until somebody resumes it. */
  | 'suspended'
  /** The destination fails: nothing is sent but a probe from time to time. */
  | 'breaker'
  /** As much was sent as its rate allows. */
  | 'budget'
  /** As much is being attempted as may be at the same time. Nothing is wrong. */
  | 'busy';

export interface GateSnapshot {
  readonly scope: string;
  readonly kind: GateKind;
  /** Epoch milliseconds; undefined until someone resumes it, or an attempt under way ends. */
  readonly closedUntilMs: number | undefined;
  readonly reason: string;
  readonly waitingLanes: number;
}

/** Stands before the records of a scope. */
export interface Gate {
  readonly scope: string;
  /** Asked for by the destination: nothing opens it earlier. */
  untilMs: number;
  isSuspended: boolean;
  reason: string;
  readonly waiting: Set<Lane>;
  timer: HeapTimer | undefined;
}

export interface GatesParts {
  readonly clock: Clock;
  readonly timers: TimerHeap;
  /** The gate is gone; its lanes may go as far as other gates let them. */
  readonly opened: (gate: Gate) => void;
}

/** Gates that a settlement closes: until a time, or until somebody resumes them. They open late, never early. */
export class Gates {
  private readonly gates = new Map<string, Gate>();
  /** Gates of parts, by their root. */
  private readonly parted = new Map<string, Set<Gate>>();

  constructor(private readonly parts: GatesParts) {}

  get isEmpty(): boolean {
    return this.gates.size === 0;
  }

  /** A gate that stands before records of this scope. */
  before(scope: string): Gate | undefined {
    if (this.gates.size === 0) return undefined;
    const root = rootOf(scope);
    const gate = this.gates.get(scope) ?? this.gates.get(root);
    if (gate || root !== scope) return gate;
    for (const part of this.parted.get(root) ?? []) return part;
    return undefined;
  }

  /** @param untilMs Infinity suspends: until `resume`. */
  close(scope: string, untilMs: number, reason: string): Gate {
    const gate = this.gates.get(scope) ?? this.create(scope);
    if (!Number.isFinite(untilMs)) {
      gate.isSuspended = true;
      gate.reason = reason;
    } else if (untilMs > gate.untilMs) {
      // Several attempts may have been in flight: the longest wait counts.
      gate.untilMs = untilMs;
      if (!gate.isSuspended) gate.reason = reason;
      this.arm(gate);
    }
    return gate;
  }

  /** Ends a suspension. What the destination asked for holds on. @returns false when the scope was not suspended. */
  resume(scope: string): boolean {
    const gate = this.gates.get(scope);
    if (!gate?.isSuspended) return false;
    gate.isSuspended = false;
    if (gate.untilMs > this.parts.clock.now()) gate.reason = 'it was asked for a pause before it was suspended';
    else this.open(gate);
    return true;
  }

  /** Lanes of lost partitions wait for nothing any more. */
  forgetLost(): void {
    for (const { waiting } of this.gates.values()) forgetLostIn(waiting);
  }

  snapshot(): GateSnapshot[] {
    return [...this.gates.values()].map(({ scope, isSuspended, untilMs, reason, waiting }) => ({
      scope,
      kind: isSuspended ? 'suspended' : 'closed',
      closedUntilMs: isSuspended ? undefined : untilMs,
      reason,
      waitingLanes: waitingIn(waiting),
    }));
  }

  private create(scope: string): Gate {
    const gate: Gate = { scope, untilMs: 0, isSuspended: false, reason: '', waiting: new Set(), timer: undefined };
    this.gates.set(scope, gate);
    const root = rootOf(scope);
    if (root === scope) return gate;
    const siblings = this.parted.get(root) ?? new Set();
    this.parted.set(root, siblings.add(gate));
    return gate;
  }

  private arm(gate: Gate): void {
    if (gate.timer) gate.timer.cancelled = true;
    gate.timer = this.parts.timers.at(gate.untilMs, () => {
      if (!gate.isSuspended) this.open(gate);
    });
  }

  private open(gate: Gate): void {
    if (gate.timer) gate.timer.cancelled = true;
    const { scope } = gate;
    this.gates.delete(scope);
    const siblings = this.parted.get(rootOf(scope));
    if (siblings?.delete(gate) && siblings.size === 0) this.parted.delete(rootOf(scope));
    this.parts.opened(gate);
  }
}

export const closedUntil = ({ isSuspended, untilMs }: Gate): number =>
  isSuspended ? Number.POSITIVE_INFINITY : untilMs;

export function forgetLostIn(waiting: Set<Lane>): void {
  for (const lane of waiting) if (!lane.owner.isOwned) waiting.delete(lane);
}

export const waitingIn = (waiting: Iterable<Lane>): number => [...waiting].filter((lane) => lane.owner.isOwned).length;
