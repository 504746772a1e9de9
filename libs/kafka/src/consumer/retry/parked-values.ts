import type { Logger } from '../../connection/logger.js';
import type { ConsumerDriver, FetchedBatch } from '../consumer-driver.js';
import type { PauseRegistry } from '../pause-registry.js';
import type { FinishBook } from './finish-book.js';
import type { ParkedCopy } from './parked-copy.js';
import type { RetryPair } from './retry-pair.js';

export interface ParkedValuesParts {
  readonly maxWindowRecords: number;
  readonly driver: Pick<ConsumerDriver, 'seek'>;
  readonly pauses: Pick<PauseRegistry, 'remove'>;
  readonly logger: Logger;
  readonly book: FinishBook;
  /** The value of the copy is in memory. */
  readonly onArrived: (pair: RetryPair, copy: ParkedCopy) => void;
  /** The copy is finished, because nothing can bring it back. */
  readonly onVanished: (pair: RetryPair, copy: ParkedCopy) => void;
}

/** Fetches the values of parked records again when their turn comes: until then the index keeps only where they are. */
export class ParkedValues {
  constructor(private readonly parts: ParkedValuesParts) {}

  /** Where the next fetch starts after a rejoin, which sent the client back to the committed offset. */
  fetchAgainFrom({ retry, wanted }: RetryPair): number {
    return wanted.size > 0 ? Math.min(...wanted) : (retry.tracker?.knownEnd ?? 0);
  }

  want(pair: RetryPair, copy: ParkedCopy): void {
    // Not fetched back yet: it comes by itself.
    if (copy.position < 0 || pair.wanted.has(copy.offset)) return;
    if (!this.hasRoom(pair)) {
      pair.waitForRoom.add(copy.lane);
      return;
    }
    pair.wanted.add(copy.offset);
    this.keepFetching(pair);
    if (pair.wanted.size === 1) this.parts.driver.seek(pair.retry, copy.offset);
  }

  /**
   * A full completion map stops the reading of new records, not of those whose turn has come: only they make room in it. Called after
   * each batch too, because one that could not be taken in pauses the partition again.
   */
  keepFetching({ wanted, retry }: RetryPair): void {
    if (wanted.size > 0) this.parts.pauses.remove(retry, 'map');
  }

  hasRoom({ wanted, retry }: RetryPair): boolean {
    return wanted.size + retry.windowRecords < this.parts.maxWindowRecords;
  }

  takeWanted(pair: RetryPair, { messages, fetchedFrom, nextOffset }: FetchedBatch): void {
    if (pair.wanted.size === 0) return;
    for (const message of messages) {
      const offset = Number(message.offset);
      if (!pair.wanted.delete(offset)) continue;
      const copy = pair.index.atOffset(offset);
      if (!copy) continue;
      this.parts.book.keepValue(pair, copy, message);
      this.parts.onArrived(pair, copy);
    }
    for (const offset of [...pair.wanted]) {
      if (offset >= fetchedFrom && offset < nextOffset) this.noteVanished(pair, offset);
    }
  }

  nextFetch(pair: RetryPair, { fetchedFrom, nextOffset }: FetchedBatch, end: number): number {
    if (pair.wanted.size === 0) return end;
    const next = Math.min(...pair.wanted);
    if (next >= nextOffset) return next;
    if (next < fetchedFrom) this.parts.driver.seek(pair.retry, next);
    return nextOffset;
  }

  /** Kafka deleted it while it waited: nothing can bring it back, so the key goes on and a person is told. */
  private noteVanished(pair: RetryPair, offset: number): void {
    pair.wanted.delete(offset);
    const copy = pair.index.atOffset(offset);
    if (!copy) return;
    const { topic, partition } = pair.retry;
    this.parts.logger.error(
      { topic, partition, offset, origin: copy.origin },
      'record.vanished: a parked record was deleted by retention; lengthen the retention of the retry topic and redrive its origin',
    );
    this.parts.book.finishCopy(pair, copy);
    this.parts.onVanished(pair, copy);
  }
}
