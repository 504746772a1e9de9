import type { OutgoingRecord, RecordPosition } from '../records.js';

/** A record that waits for its acknowledgement. */
export interface PendingRecord {
  readonly record: OutgoingRecord;
  readonly bytes: number;
  readonly deadlineAtMs: number;
  readonly resolve: (position: RecordPosition) => void;
  readonly reject: (error: Error) => void;
  /** Chosen once, before the first attempt. */
  partition: number;
  /** True when the caller has its answer, even if the record is still on its way. */
  answered: boolean;
}

/** What Kafka adds to each record, rounded up. */
const overheadBytes = 24;

export function sizeOf({ key, value, headers }: OutgoingRecord): number {
  let bytes = overheadBytes + (value?.length ?? 0) + (key ? Buffer.byteLength(key) : 0);
  for (const name in headers) bytes += name.length + sizeOfHeader(headers[name]) + 4;
  return bytes;
}

function sizeOfHeader(value: NonNullable<OutgoingRecord['headers']>[string]): number {
  if (value === undefined) return 0;
  if (Array.isArray(value)) return value.reduce((sum, one) => sum + Buffer.byteLength(one), 0);
  return Buffer.byteLength(value);
}

/** First in, first out, without moving the rest when one is taken. */
export class PendingQueue {
  private items: PendingRecord[] = [];
  private head = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  push(item: PendingRecord): void {
    this.items.push(item);
  }

  peek(at = 0): PendingRecord | undefined {
    return this.items[this.head + at];
  }

  shift(): PendingRecord | undefined {
    const item = this.items[this.head];
    if (item === undefined) return undefined;
    this.head += 1;
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }

  /** Takes out all that match, keeping the order of the rest. */
  removeWhere(matches: (item: PendingRecord) => boolean): PendingRecord[] {
    const removed: PendingRecord[] = [];
    const kept: PendingRecord[] = [];
    for (let i = this.head; i < this.items.length; i++) {
      const item = this.items[i] as PendingRecord;
      (matches(item) ? removed : kept).push(item);
    }
    this.items = kept;
    this.head = 0;
    return removed;
  }
}
