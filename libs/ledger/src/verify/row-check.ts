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
}

/** Some of a range, behind what was checked before. */
export interface RangePiece {
  /** Offsets [from, to) of the partition. */
  readonly from: number;
  readonly to: number;
  /** The hash of the n-th row of the piece; there is one for every offset. */
  readonly leafAt: LeafAt;
  /** Rows that were taken out on purpose, by their place in the piece: one bit for each, lowest bit first. Absent: none. */
  readonly retired?: Uint8Array | undefined;
}

/** More rows than this that differ are not worth telling apart. */
const mostSuspects = 100_000;

/** Holds rows, as they come, against the leaf hashes of their range. Keeps one bit for each row of a piece, and nothing of earlier pieces. */
export class RowCheck {
  private piece: RangePiece = { from: 0, to: 0, leafAt: () => Buffer.alloc(0) };
  private seen = new Uint8Array(0);
  /** Lines by the offset they claim, whose text is not what the hash at that offset stands for. */
  private suspects = new Map<number, number>();
  /** Missing offsets [first, last] that may go on in the next piece. */
  private gap: { readonly first: number; last: number } | undefined;
  private line = 0;
  private highest = -1;
  private intact = 0;

  constructor(
    private readonly range: RowRange,
    private readonly findings: Findings,
  ) {}

  /** Rows that are what was hashed. */
  get rows(): number {
    return this.intact;
  }

  begin(piece: RangePiece): void {
    this.piece = piece;
    this.seen = new Uint8Array(Math.ceil((piece.to - piece.from) / 8));
    this.suspects = new Map();
  }

  /** Says what can only be said when all rows of the piece were there. */
  end(): void {
    for (const [offset, line] of this.suspects) {
      if (this.has(offset - this.piece.from)) {
        this.tell('inserted', `line ${line} says it is the row at offset ${offset}, which is there besides`, offset);
      } else {
        this.tell(
          'altered',
          `the row at offset ${offset} (line ${line}) is not what was hashed when it was written`,
          offset,
        );
      }
    }
    if (this.range.isWhole) this.findMissing();
  }

  /** After the last piece. */
  finish(): void {
    this.tellGap();
  }

  /** Returns the hash of the row, or undefined where the text is no row. */
  take(text: string): Buffer | undefined {
    const row = parseRow(text);
    if (row) return this.takeRow(row.columns, text === row.canonical);
    this.line += 1;
    this.tell('inserted', `line ${this.line} is not a row: ${JSON.stringify(text.slice(0, 60))}`);
    return undefined;
  }

  /** As `take`, of a row that nobody wrote out. */
  takeRow(row: LedgerRow, isCanonical = true): Buffer {
    this.line += 1;
    const hash = leafHash(row);
    this.place(row.audit_offset as number, row.audit_partition as number, isCanonical ? hash : undefined);
    return hash;
  }

  private place(offset: number, partition: number, hash: Buffer | undefined): void {
    const { from, to, leafAt } = this.piece;
    if (partition !== this.range.partition || offset < from || offset >= to) {
      this.tell(
        'inserted',
        `line ${this.line} is a row of partition ${partition}, offset ${offset}, which does not belong here`,
      );
      return;
    }
    const index = offset - from;
    if (!hash?.equals(leafAt(index))) {
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
    if (offset < this.highest)
      this.tell('moved', `the row at offset ${offset} stands on line ${this.line}, behind a later one`, offset);
    this.highest = Math.max(this.highest, offset);
  }

  private findMissing(): void {
    const { from, to, retired } = this.piece;
    for (let offset = from; offset < to; offset++) {
      if (this.has(offset - from) || this.suspects.has(offset) || isSet(retired, offset - from)) continue;
      if (this.gap && this.gap.last !== offset - 1) this.tellGap();
      if (this.gap) this.gap.last = offset;
      else this.gap = { first: offset, last: offset };
    }
  }

  private tellGap(): void {
    if (!this.gap) return;
    const { first, last } = this.gap;
    const isTail = last === this.range.to - 1;
    const rows = last === first ? 'the row' : 'the rows';
    this.tell(
      isTail ? 'truncated' : 'missing',
      `${rows} at ${offsetsText(first, last)} ${last === first ? 'is' : 'are'} missing${isTail ? ' from the end' : ''}`,
      first,
      last,
    );
    this.gap = undefined;
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

export const isSet = (bits: Uint8Array | undefined, index: number): boolean =>
  ((bits?.[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;

interface ParsedRow {
  readonly columns: LedgerRow;
  readonly canonical: string;
}

/** A text that says the same in another way is not the row: a reader that keeps the first of two equal names would see another. */
function parseRow(text: string): ParsedRow | undefined {
  try {
    const columns = JSON.parse(text) as LedgerRow;
    const { audit_partition: partition, audit_offset: offset } = columns;
    if (!Number.isSafeInteger(partition) || !Number.isSafeInteger(offset)) return undefined;
    return { columns, canonical: rowText(columns) };
  } catch {
    // No JSON, or JSON that is no row: the caller says so.
    return undefined;
  }
}
