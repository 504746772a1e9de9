import type { Logger } from '../connection/logger.js';
import type { Admission } from './admission.js';
import { partitionName, type TopicPartition } from './consumer-driver.js';
import type { OwnedPartition } from './owned-partition.js';
import type { PauseReason, PauseRegistry } from './pause-registry.js';
import { pairOf } from './retry/retry-pair.js';
import type { RuntimeObserver } from './runtime-options.js';

export interface PauseWatchdogParts {
  readonly group: string;
  readonly pauses: PauseRegistry;
  readonly admission: Pick<Admission, 'mustPause'>;
  readonly owned: () => Iterable<OwnedPartition>;
  readonly logger: Logger;
  readonly observer: RuntimeObserver | undefined;
}

/**
 * A pause that outlives its reason stops a partition without a word: peers lost days that way. Each reason is looked up again where
 * it came from; a pause without one is ended and counted, because it is a mistake of ours.
 */
export class PauseWatchdog {
  constructor(private readonly parts: PauseWatchdogParts) {}

  look(): void {
    const { pauses, logger, observer, group } = this.parts;
    const owned = new Map([...this.parts.owned()].map((owner) => [partitionName(owner), owner]));
    const isLive = (at: TopicPartition, reason: PauseReason) => this.isLive(owned.get(partitionName(at)), reason);
    for (const { topic, partition, reason } of pauses.endStale(isLive)) {
      logger.error(
        { group, topic, partition, reason },
        'partition.pause-outlived-its-reason: it was ended; please report it',
      );
      observer?.pauseEnded?.({ group, topic, partition, reason });
    }
  }

  private isLive(owner: OwnedPartition | undefined, reason: PauseReason): boolean {
    if (!owner) return false;
    switch (reason) {
      case 'loading':
        return isLoading(owner);
      case 'unreadable-map':
        return !owner.tracker;
      case 'scanning':
        return pairOf(owner)?.isScanned === false;
      case 'prefetch':
      case 'window':
      case 'map':
        return this.parts.admission.mustPause(owner, reason);
      // Nobody looks while the consumer stops.
      case 'stopping':
        return false;
      default:
        return unknownReason(reason);
    }
  }
}

/** A pair has its positions before it may be read: its first commit has to be acknowledged. */
function isLoading(owner: OwnedPartition): boolean {
  const pair = pairOf(owner);
  return pair ? !pair.isOpen : !owner.tracker && !owner.isFresh;
}

function unknownReason(reason: never): never {
  throw new TypeError(`nobody knows whether a partition is rightly paused for ${String(reason)}`);
}
