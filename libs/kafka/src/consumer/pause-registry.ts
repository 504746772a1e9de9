import { type ConsumerDriver, partitionName, type TopicPartition } from './consumer-driver.js';
import type { PlantedBug } from './retry/retry-rules.js';

/** Why a partition is not fetched. */
export type PauseReason =
  /** Its committed position is being read. */
  | 'loading'
  /** What is parked of it is being read first. */
  | 'scanning'
  /** Its completion map cannot be read: an operator must decide. */
  | 'unreadable-map'
  /** There is enough to do without more of it. */
  | 'prefetch'
  /** As much as may be in memory is. */
  | 'window'
  /** The completion map might become too large for the commit metadata. */
  | 'map'
  /** The process stops. */
  | 'stopping';

export interface PauseSnapshot extends TopicPartition {
  readonly reason: PauseReason;
  /** Epoch milliseconds. */
  readonly sinceMs: number;
}

interface Paused {
  readonly at: TopicPartition;
  readonly reasons: Map<PauseReason, number>;
}

/** A partition is paused exactly while it has a reason. Nobody else calls the driver's `pause` and `resume`. */
export class PauseRegistry {
  private readonly paused = new Map<string, Paused>();

  constructor(
    private readonly driver: Pick<ConsumerDriver, 'pause' | 'resume'>,
    private readonly now: () => number,
    private readonly plantedBug?: PlantedBug,
  ) {}

  add(at: TopicPartition, reason: PauseReason): void {
    const name = partitionName(at);
    const entry = this.paused.get(name);
    if (entry) {
      if (!entry.reasons.has(reason)) entry.reasons.set(reason, this.now());
      return;
    }
    this.paused.set(name, { at, reasons: new Map([[reason, this.now()]]) });
    this.driver.pause([at]);
  }

  remove(at: TopicPartition, reason: PauseReason): void {
    const name = partitionName(at);
    const entry = this.paused.get(name);
    if (!entry?.reasons.delete(reason) || entry.reasons.size > 0) return;
    this.paused.delete(name);
    this.driver.resume([at]);
  }

  has(at: TopicPartition, reason: PauseReason): boolean {
    return this.paused.get(partitionName(at))?.reasons.has(reason) ?? false;
  }

  /** After a join: the client keeps its paused set over rebalances, so all of it is said again. */
  restate(assigned: readonly TopicPartition[]): void {
    const names = new Set(assigned.map(partitionName));
    for (const name of this.paused.keys()) if (!names.has(name)) this.paused.delete(name);
    this.driver.resume(assigned.filter((at) => !this.paused.has(partitionName(at))));
    this.driver.pause(assigned.filter((at) => this.paused.has(partitionName(at))));
  }

  /** Ends what has no reason any more. @returns what was ended. */
  endStale(isLive: (at: TopicPartition, reason: PauseReason) => boolean): PauseSnapshot[] {
    const stale = this.snapshot().filter((pause) => !isLive(pause, pause.reason));
    for (const pause of stale) this.remove(pause, pause.reason);
    return stale;
  }

  /** Forgets all reasons of a partition that is owned anew. */
  forget(at: TopicPartition): void {
    if (this.plantedBug !== 'stale-pauses') this.paused.delete(partitionName(at));
  }

  snapshot(): PauseSnapshot[] {
    return [...this.paused.values()].flatMap(({ at: { topic, partition }, reasons }) =>
      [...reasons].map(([reason, sinceMs]) => ({ topic, partition, reason, sinceMs })),
    );
  }
}
