import type { IHeaders } from 'kafkajs';

/** What the records of a batch share. kafkajs looks at it to leave out what an aborted transaction wrote. */
export interface BatchContext {
  readonly firstOffset: string;
  /** Epoch milliseconds, as text. */
  readonly firstTimestamp: string;
  readonly maxTimestamp: string;
  /** 1: by the broker's clock, and all records have the batch's `maxTimestamp`. */
  readonly timestampType: 0 | 1;
  readonly partitionLeaderEpoch: number;
  readonly magicByte: number;
  readonly lastOffsetDelta: number;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
}

/**
 * @param bytes the records of a batch, not compressed.
 * @throws RangeError when they are not `count` records.
 */
export function readRecords(context: BatchContext, bytes: Buffer, count: number): ReceivedRecord[] {
  const batch = new Batch(context, bytes);
  const cursor = new Cursor(bytes);
  const records: ReceivedRecord[] = [];
  for (let i = 0; i < count; i++) records.push(readRecord(batch, cursor));
  return records;
}

function readRecord(batch: Batch, cursor: Cursor): ReceivedRecord {
  cursor.readField();
  const { fieldStart: start, fieldEnd: end } = cursor;
  if (start === noField) throw new RangeError(`the record before byte ${cursor.at} has no length`);
  cursor.at = start + attributesBytes;
  const timestampDelta = cursor.readVarint();
  const offsetDelta = cursor.readVarint();
  cursor.readField();
  const { fieldStart: keyStart, fieldEnd: keyEnd } = cursor;
  cursor.readField();
  const { fieldStart: valueStart, fieldEnd: valueEnd, at: headersStart } = cursor;
  if (headersStart > end) throw new RangeError(`the record at byte ${start} is longer than it says`);
  cursor.at = end;
  return new ReceivedRecord(
    batch,
    start,
    timestampDelta,
    offsetDelta,
    keyStart,
    keyEnd,
    valueStart,
    valueEnd,
    headersStart,
  );
}

class Batch {
  readonly firstOffset: number;
  readonly firstTimestampMs: number;
  /** Undefined: each record has its own time. */
  readonly appendedAtMs: number | undefined;

  constructor(
    readonly context: BatchContext,
    readonly bytes: Buffer,
  ) {
    this.firstOffset = Number(context.firstOffset);
    this.firstTimestampMs = Number(context.firstTimestamp);
    this.appendedAtMs = context.timestampType === 1 ? Number(context.maxTimestamp) : undefined;
  }
}

const attributesBytes = 1;
const noField = -1;

/**
 * A record as kafkajs hands it over, but only where its bytes are: a key, a value and headers are made when they are asked for, and
 * anew each time. A consumer holds thousands of records, and looks at most of them once.
 */
export class ReceivedRecord {
  constructor(
    private readonly batch: Batch,
    private readonly start: number,
    private readonly timestampDelta: number,
    private readonly offsetDelta: number,
    private readonly keyStart: number,
    private readonly keyEnd: number,
    private readonly valueStart: number,
    private readonly valueEnd: number,
    private readonly headersStart: number,
  ) {}

  get offset(): string {
    return String(this.batch.firstOffset + this.offsetDelta);
  }

  /** Epoch milliseconds, as text. */
  get timestamp(): string {
    return String(this.batch.appendedAtMs ?? this.batch.firstTimestampMs + this.timestampDelta);
  }

  get key(): Buffer | null {
    return this.keyStart === noField ? null : this.batch.bytes.subarray(this.keyStart, this.keyEnd);
  }

  get value(): Buffer | null {
    return this.valueStart === noField ? null : this.batch.bytes.subarray(this.valueStart, this.valueEnd);
  }

  /** Of key and value, without making them. */
  get payloadBytes(): number {
    return this.keyEnd - this.keyStart + this.valueEnd - this.valueStart;
  }

  /** A name that comes several times has an array, in their order. */
  get headers(): IHeaders {
    return readHeaders(new Cursor(this.batch.bytes, this.headersStart));
  }

  get attributes(): number {
    return this.batch.bytes.readInt8(this.start);
  }

  get magicByte(): number {
    return this.batch.context.magicByte;
  }

  get isControlRecord(): boolean {
    return this.batch.context.isControlBatch;
  }

  get batchContext(): BatchContext {
    return this.batch.context;
  }
}

function readHeaders(cursor: Cursor): IHeaders {
  const headers: IHeaders = {};
  for (let left = cursor.readVarint(); left > 0; left--) {
    const name = cursor.readText();
    addHeader(headers, name, cursor.readBytes());
  }
  return headers;
}

function addHeader(headers: IHeaders, name: string, value: Buffer | null): void {
  const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
  // kafkajs has null for a header without a value; its types do not know it.
  const all = (before === undefined ? value : [before, value].flat()) as Buffer | Buffer[];
  // Assigned, this one would replace the prototype and be no header.
  if (name === '__proto__') Object.defineProperty(headers, name, { value: all, ...plainProperty });
  else headers[name] = all;
}

const plainProperty = { writable: true, enumerable: true, configurable: true };

/** Reads what Kafka's format is made of, from one byte to the next. */
class Cursor {
  /** Of the field that was read last; `noField` when it is null. */
  fieldStart = 0;
  fieldEnd = 0;

  constructor(
    private readonly bytes: Buffer,
    public at = 0,
  ) {}

  /** Zigzag; up to 53 bits, by arithmetic, because a difference of times may be wider than 32. */
  readVarint(): number {
    let byte = this.nextByte();
    let value = byte & 0x7f;
    for (let unit = 0x80; byte >= 0x80; unit *= 0x80) {
      byte = this.nextByte();
      value += (byte & 0x7f) * unit;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Length and bytes: leaves where they are, and stands behind them. */
  readField(): void {
    const length = this.readVarint();
    const start = this.at;
    if (length > this.bytes.length - start)
      throw new RangeError(`${length} bytes at byte ${start} of ${this.bytes.length}`);
    this.fieldStart = length < 0 ? noField : start;
    this.fieldEnd = length < 0 ? noField : start + length;
    this.at = length < 0 ? start : this.fieldEnd;
  }

  readText(): string {
    this.readField();
    return this.bytes.toString('utf8', this.fieldStart, this.fieldEnd);
  }

  readBytes(): Buffer | null {
    this.readField();
    return this.fieldStart === noField ? null : this.bytes.subarray(this.fieldStart, this.fieldEnd);
  }

  private nextByte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new RangeError(`the bytes end at ${this.bytes.length}, inside a number`);
    return byte;
  }
}
