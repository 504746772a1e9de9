import { type LedgerRow, leafHash, rowText } from '../row.js';
import { type Findings, offsetsText } from './finding.js';

/** Leaf hashes of a range, by their place in it. */
export type LeafAt = (index: number) => Buffer;

export interface RowRange {
  readonly partition: number;
  /** Offsets [from, to) of the partition. */
  readonly from: number;
  readonly to: number;
  /** False where a query chose some of the rows: then none is missed. */
  readonly isWhole: boolean;
  /** Rows that were taken out on purpose, by their place in the range: one bit for each, lowest bit first. Absent: none. */
  readonly retired?: Uint8Array | undefined;
}

/** More rows than this that differ are not worth telling apart. */
const mostSuspects = 100_000;

/** Holds rows, as they come, against the leaf hashes of their range. Keeps one bit for each row. */
export class RowCheck {
  private readonly seen: Uint8Array;
  /** Lines by the offset they claim, whose text is not what the hash at that offset stands for. */
  private readonly suspects = new Map<number, number>();
  private line = 0;
  private highest = -1;
  private intact = 0;

  constructor(
    private readonly range: RowRange,
    private readonly leafAt: LeafAt,
    private readonly findings: Findings,
  ) {
    this.seen = new Uint8Array(Math.ceil((range.to - range.from) / 8));
  }

  /** Rows that are what was hashed. */
  get rows(): number {
    return this.intact;
  }

  /** Returns the hash of the row, or undefined where the text is no row. */
  take(text: string): Buffer | undefined {
    this.line += 1;
    const row = parseRow(text);
    if (!row) {
      this.tell('inserted', `line ${this.line} is not a row: ${JSON.stringify(text.slice(0, 60))}`);
      return undefined;
    }
    const hash = leafHash(row.columns);
    this.place(row.offset, row.partition, text === row.canonical ? hash : undefined);
    return hash;
  }

  private place(offset: number, partition: number, hash: Buffer | undefined): void {
    const { from, to } = this.range;
    if (partition !== this.range.partition || offset < from || offset >= to) {
      this.tell(
        'inserted',
        `line ${this.line} is a row of partition ${partition}, offset ${offset}, which does not belong here`,
      );
      return;
    }
    const index = offset - from;
    if (!hash?.equals(this.leafAt(index))) {
      if (this.suspects.size < mostSuspects && !this.suspects.has(offset)) this.suspects.set(offset, this.line);
      else this.tell('inserted', `line ${this.line} says it is the row at offset ${offset} once more`, offset);
      return;
    }
    if (this.has(index)) {
      this.tell('inserted', `line ${this.line} repeats the row at offset ${offset}`, offset);
      return;
    }
    this.mark(index);
    this.intact += 1;
    if (index < this.highest)
      this.tell('moved', `the row at offset ${offset} stands on line ${this.line}, behind a later one`, offset);
    this.highest = Math.max(this.highest, index);
  }

  /** Says what can only be said when all rows were there. */
  finish(): void {
    for (const [offset, line] of this.suspects) {
      if (this.has(offset - this.range.from)) {
        this.tell('inserted', `line ${line} says it is the row at offset ${offset}, which is there besides`, offset);
      } else {
        this.tell(
          'altered',
          `the row at offset ${offset} (line ${line}) is not what was hashed when it was written`,
          offset,
        );
      }
    }
    if (this.range.isWhole) this.tellMissing();
  }

  private tellMissing(): void {
    const { from, to } = this.range;
    const isThere = (offset: number) =>
      this.has(offset - from) || this.suspects.has(offset) || isSet(this.range.retired, offset - from);
    for (let first = from; first < to; first++) {
      if (isThere(first)) continue;
      let last = first;
      while (last + 1 < to && !isThere(last + 1)) last += 1;
      const isTail = last === to - 1;
      const rows = last === first ? 'the row' : 'the rows';
      this.tell(
        isTail ? 'truncated' : 'missing',
        `${rows} at ${offsetsText(first, last)} ${last === first ? 'is' : 'are'} missing${isTail ? ' from the end' : ''}`,
        first,
        last,
      );
      first = last;
    }
  }

  private tell(
    flaw: 'altered' | 'missing' | 'inserted' | 'moved' | 'truncated',
    what: string,
    first?: number,
    last = first,
  ): void {
    const at = first === undefined || last === undefined ? {} : { first, last };
    this.findings.add({ flaw, partition: this.range.partition, what, ...at });
  }

  private has(index: number): boolean {
    return isSet(this.seen, index);
  }

  private mark(index: number): void {
    this.seen[index >> 3] = (this.seen[index >> 3] ?? 0) | (1 << (index & 7));
  }
}

const isSet = (bits: Uint8Array | undefined, index: number): boolean =>
  ((bits?.[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;

interface ParsedRow {
  readonly columns: LedgerRow;
  readonly canonical: string;
  readonly partition: number;
  readonly offset: number;
}

/** A text that says the same in another way is not the row: a reader that keeps the first of two equal names would see another. */
function parseRow(text: string): ParsedRow | undefined {
  try {
    const columns = JSON.parse(text) as LedgerRow;
    const { audit_partition: partition, audit_offset: offset } = columns;
    if (!Number.isSafeInteger(partition) || !Number.isSafeInteger(offset)) return undefined;
    return { columns, canonical: rowText(columns), partition: partition as number, offset: offset as number };
  } catch {
    // No JSON, or JSON that is no row: the caller says so.
    return undefined;
  }
}
