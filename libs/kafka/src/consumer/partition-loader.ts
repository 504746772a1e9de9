import { type Clock, sleep } from '../connection/clock.js';
import { errorFields, type Logger } from '../connection/logger.js';
import { decodeCompletionMap } from './completion-map.js';
import { type CommittedOffset, type ConsumerDriver, partitionName } from './consumer-driver.js';
import type { OwnedPartition } from './owned-partition.js';
import { PartitionTracker } from './partition-tracker.js';
import type { PauseRegistry } from './pause-registry.js';

export interface PartitionLoaderParts {
  readonly group: string;
  readonly driver: Pick<ConsumerDriver, 'committed'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pauses: PauseRegistry;
  readonly stopping: AbortSignal;
}

const reloadPauseMs = 500;

/** Learns where the group left off in newly owned partitions; until then they are paused. */
export class PartitionLoader {
  constructor(private readonly parts: PartitionLoaderParts) {}

  async load(owners: readonly OwnedPartition[]): Promise<void> {
    while (!this.parts.stopping.aborted) {
      const waiting = owners.filter((owner) => owner.isOwned && !owner.tracker && !owner.isFresh);
      if (waiting.length === 0) return;
      try {
        const topics = [...new Set(waiting.map(({ topic }) => topic))];
        const committed = new Map((await this.parts.driver.committed(topics)).map((at) => [partitionName(at), at]));
        for (const owner of waiting) this.takeOver(owner, committed.get(partitionName(owner)));
        return;
      } catch (error) {
        this.parts.logger.warn({ ...errorFields(error), group: this.parts.group }, 'consumer.offsets-unread');
      }
      await sleep(this.parts.clock, reloadPauseMs, this.parts.stopping);
    }
  }

  /** Not even the committed offset is believed without its map: records below it may be unfinished. */
  refuse(
    owner: OwnedPartition,
    { offset, metadata }: Pick<CommittedOffset, 'offset' | 'metadata'>,
    error: unknown,
  ): void {
    this.parts.pauses.add(owner, 'unreadable-map');
    this.parts.logger.error(
      {
        ...errorFields(error),
        group: this.parts.group,
        topic: owner.topic,
        partition: owner.partition,
        offset,
        metadata,
      },
      'partition.stopped: its commit metadata cannot be read; `tributary group accept-offsets` accepts the offset without it',
    );
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
        this.refuse(owner, committed, error);
      }
    }
    this.parts.pauses.remove(owner, 'loading');
  }
}
