import type { Admission } from '../admission.js';
import { bytesOf } from '../admission.js';
import type { FetchedMessage } from '../consumer-driver.js';
import type { Entry, OwnedPartition } from '../owned-partition.js';
import type { ParkedCopy } from './parked-copy.js';
import type { RetryPair } from './retry-pair.js';

export interface FinishBookParts {
  readonly admission: Pick<Admission, 'resumeWhenRoom'>;
  /** There is something new to commit. */
  readonly noteProgress: (owner: OwnedPartition) => void;
  readonly isOrdered: boolean;
}

/** Keeps trackers, windows and the index of what is parked in step when a record or a copy is done with. */
export class FinishBook {
  constructor(private readonly parts: FinishBookParts) {}

  finishCopy(pair: RetryPair, copy: ParkedCopy): void {
    pair.index.remove(copy);
    this.dropValue(pair, copy);
    pair.retry.tracker?.finish(copy.position);
    this.noteFinish(pair, copy.lane, copy.origin, true);
    this.parts.admission.resumeWhenRoom(pair.retry);
  }

  finishInMain(pair: RetryPair, lane: string, origin: number, position: number): void {
    pair.main.tracker?.finish(position);
    this.noteFinish(pair, lane, origin, false);
  }

  noteFinish(pair: RetryPair, lane: string, origin: number, isRetry: boolean): void {
    const owner = isRetry ? pair.retry : pair.main;
    this.parts.noteProgress(owner);
    if (this.parts.isOrdered) pair.finishes.add(lane, origin, owner, isRetry);
  }

  leaveWindow(entry: Entry): void {
    entry.owner.windowRecords -= 1;
    entry.owner.windowBytes -= entry.bytes;
    this.parts.admission.resumeWhenRoom(entry.owner);
  }

  keepValue(pair: RetryPair, copy: ParkedCopy, message: FetchedMessage): void {
    if (copy.message) return;
    copy.message = message;
    pair.retry.windowRecords += 1;
    pair.retry.windowBytes += bytesOf(message);
  }

  dropValue(pair: RetryPair, copy: ParkedCopy): void {
    if (!copy.message) return;
    pair.retry.windowRecords -= 1;
    pair.retry.windowBytes -= bytesOf(copy.message);
    copy.message = undefined;
  }
}
