import { encodeCompletionMap, mapBytesAtMost, maxMapBytes, type OffsetRange } from './completion-map.js';

/** Admission stops here, so what is in flight always fits the map. */
const mapBytesAdmitted = Math.floor(maxMapBytes * 0.75);
/** Known records above the committed offset: a blocked record must not let memory and the cost of a commit grow without end. */
const maxKnownAbove = 250_000;

/**
 * Which offsets of one partition are known, finished and committable. A position is a running number of a known record, so that
 * finishing one is one array write, whatever gaps compaction or control records left between the offsets.
 */
export class PartitionTracker {
  private offsets: number[] = [];
  private done: boolean[] = [];
  /** Position of the first entry of the arrays. */
  private firstPosition = 0;
  /** Index in the arrays of the first unfinished record. */
  private head = 0;
  private unfinished = 0;
  private end: number;
  private committable: number;
  /** Finished by the former owner and not fetched by us yet; ascending. */
  private restored: OffsetRange[];

  /**
   * @param start the committed offset, or the first one fetched when nothing was committed.
   * @param finished what the commit metadata says is finished above it.
   */
  constructor(start: number, finished: readonly OffsetRange[] = []) {
    this.end = start;
    this.committable = start;
    this.restored = [...finished];
  }

  /** The first offset that is not finished: what a commit says. Never goes back. */
  get watermark(): number {
    return this.committable;
  }

  /** One past the highest known offset; smaller ones are not admitted again. */
  get knownEnd(): number {
    return this.end;
  }

  /** Known records that are not finished. */
  get unfinishedCount(): number {
    return this.unfinished;
  }

  /** Bytes the completion map can grow to without further admissions. */
  get mapBytes(): number {
    return mapBytesAtMost(this.mapEnd() - this.committable, this.runsAtMost(0));
  }

  /** Finished by this owner, or by a former one as the commit metadata says. */
  isFinished(offset: number): boolean {
    if (offset < this.committable) return true;
    if (offset >= this.end) return this.restored.some(({ from, to }) => offset >= from && offset < to);
    const index = this.indexOf(offset);
    // A known offset without a record: a gap.
    return index < 0 || this.done[index] === true;
  }

  isKnown(offset: number): boolean {
    return offset < this.end;
  }

  /** False when `count` more records, the last of them at `offset`, might make the completion map too large. */
  canAdmit(offset: number, count = 1): boolean {
    const span = Math.max(this.mapEnd(), offset + 1) - this.committable;
    if (this.offsets.length - this.head + count > maxKnownAbove) return false;
    return mapBytesAtMost(span, this.runsAtMost(count)) <= mapBytesAdmitted;
  }

  /** True when the map has become so small again that it is worth fetching more. */
  get hasRoom(): boolean {
    return this.mapBytes <= mapBytesAdmitted / 2 && this.offsets.length - this.head <= maxKnownAbove / 2;
  }

  /** A few unfinished records keep so many finished ones from being committed that admission will stop soon. */
  get isHeldUp(): boolean {
    const known = this.offsets.length - this.head;
    const isCrowded = this.mapBytes > mapBytesAdmitted * 0.9 || known > maxKnownAbove * 0.9;
    return isCrowded && this.unfinished < known * 0.02;
  }

  /**
   * Makes a record known.
   * @returns its position, or -1 when it is known already or was finished by the former owner.
   */
  admit(offset: number): number {
    if (offset < this.end) return -1;
    const isDone = this.takeRestored(offset);
    this.end = offset + 1;
    this.offsets.push(offset);
    this.done.push(isDone);
    if (!isDone) this.unfinished += 1;
    this.advance();
    return isDone ? -1 : this.firstPosition + this.offsets.length - 1;
  }

  /** Everything below `end` was fetched: what is not known by now does not exist. */
  noteFetchedUpTo(end: number): void {
    if (end <= this.end) return;
    this.end = end;
    this.dropRestoredBelow(end);
    this.advance();
  }

  finish(position: number): void {
    const index = position - this.firstPosition;
    if (index < this.head || this.done[index] !== false) return;
    this.done[index] = true;
    this.unfinished -= 1;
    this.advance();
  }

  /** Metadata of a commit at `watermark`. */
  completionMap(drained: boolean): string {
    return encodeCompletionMap(this.committable, this.finishedRanges(), drained);
  }

  /** Finished above the watermark. Gaps between two finished records count as finished: they cost nothing and mean nothing. */
  finishedRanges(): OffsetRange[] {
    const ranges: { from: number; to: number }[] = [];
    let open: { from: number; to: number } | undefined;
    for (let i = this.head; i < this.offsets.length; i++) {
      const offset = this.offsets[i] as number;
      if (!this.done[i]) {
        open = undefined;
      } else if (open) {
        open.to = offset + 1;
      } else {
        open = { from: offset, to: offset + 1 };
        ranges.push(open);
      }
    }
    for (const range of this.restored) {
      if (range.to <= this.committable) continue;
      if (open && open.to >= range.from) open.to = range.to;
      else {
        open = { ...range };
        ranges.push(open);
      }
    }
    return ranges;
  }

  private indexOf(offset: number): number {
    let low = this.head;
    let high = this.offsets.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.offsets[middle] as number;
      if (found === offset) return middle;
      if (found < offset) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  private runsAtMost(more: number): number {
    return this.unfinished + this.restored.length + more + 1;
  }

  private mapEnd(): number {
    return Math.max(this.end, this.restored[this.restored.length - 1]?.to ?? 0);
  }

  private takeRestored(offset: number): boolean {
    if (this.restored.length === 0) return false;
    const first = this.restored[0] as OffsetRange;
    const isDone = offset >= first.from && offset < first.to;
    this.dropRestoredBelow(offset + 1);
    return isDone;
  }

  private dropRestoredBelow(end: number): void {
    while (this.restored[0] && this.restored[0].to <= end) this.restored.shift();
    const first = this.restored[0];
    if (first && first.from < end) this.restored[0] = { from: end, to: first.to };
  }

  private advance(): void {
    while (this.head < this.offsets.length && this.done[this.head]) this.head += 1;
    const next = this.head < this.offsets.length ? (this.offsets[this.head] as number) : this.endOfFinished();
    if (next > this.committable) this.committable = next;
    if (this.head > 1024 && this.head * 2 > this.offsets.length) this.compact();
  }

  /** With nothing unfinished, what the former owner finished right after the known end is finished too. */
  private endOfFinished(): number {
    const first = this.restored[0];
    return first && first.from <= this.end ? first.to : this.end;
  }

  private compact(): void {
    this.offsets = this.offsets.slice(this.head);
    this.done = this.done.slice(this.head);
    this.firstPosition += this.head;
    this.head = 0;
  }
}
