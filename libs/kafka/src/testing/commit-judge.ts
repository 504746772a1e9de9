import { decodeCompletionMap } from '../consumer/completion-map.js';
import type { FetchedMessage, OffsetCommit } from '../consumer/consumer-driver.js';

/** What is so, whatever a consumer says of it. */
interface Truth {
  readonly isSettled: (id: string) => boolean;
  /** Of the records of the partition in the main topic, by id; undefined: the commit is of the retry topic. */
  readonly mainOffsets: Iterable<readonly [string, number]> | undefined;
  /** What the retry topic holds of the partition. */
  readonly copies: readonly FetchedMessage[];
}

/** @returns the ids of records that a commit calls finished, and that are neither settled nor left in a copy. */
export function overstatedIn({ offset, metadata }: OffsetCommit, { isSettled, mainOffsets, copies }: Truth): string[] {
  const { finished } = decodeCompletionMap(offset, metadata);
  const isFinished = (at: number) => at < offset || finished.some(({ from, to }) => at >= from && at < to);
  const parked = new Set(copies.map(({ value }) => String(value)));
  if (mainOffsets) {
    const told = [...mainOffsets].filter(([id, at]) => isFinished(at) && !parked.has(id));
    return told.map(([id]) => id).filter((id) => !isSettled(id));
  }
  // Which of several copies counts is no matter here: one of them must be left.
  for (const copy of copies) if (!isFinished(Number(copy.offset))) parked.delete(String(copy.value));
  return [...parked].filter((id) => !isSettled(id));
}
