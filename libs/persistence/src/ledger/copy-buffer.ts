/** What a COPY begins and ends with. */
export const copyStart = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
export const copyEnd = Buffer.from([0xff, 0xff]);
const jsonbVersion = 1;
/** PostgreSQL counts microseconds from the year 2000. */
const epoch2000Ms = 946_684_800_000;
const firstBytes = 1 << 19;

/**
 * What was sent is written over rather than made anew: memory of this size counts for the garbage collector like objects that it
 * has to look at, and made it go through the whole heap five times a second.
 */
const spare: Buffer[] = [];
const mostSpare = 16;
/** One row may be large; its buffer is not kept for that. */
const mostSpareBytes = 2 * firstBytes;
const nothing = Buffer.alloc(0);

/** Rows in PostgreSQL's binary COPY format. */
export class CopyBuffer {
  private buffer = spare.pop() ?? Buffer.allocUnsafe(firstBytes);
  private at = 0;

  get length(): number {
    return this.at;
  }

  /** Everything so far. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.at);
  }

  /** When its bytes are sent and nobody will ask for them again. */
  release(): void {
    const { length } = this.buffer;
    if (spare.length < mostSpare && length >= firstBytes && length <= mostSpareBytes) spare.push(this.buffer);
    this.buffer = nothing;
    this.at = 0;
  }

  row(columns: number): void {
    this.room(2);
    this.at = this.buffer.writeInt16BE(columns, this.at);
  }

  absent(): void {
    this.lengthOf(-1, 0);
  }

  int(value: number): void {
    this.lengthOf(4, 4);
    this.at = this.buffer.writeInt32BE(value, this.at);
  }

  /** @param value an integer that a double holds exactly: without a bigint, of which a row would make five. */
  bigint(value: number): void {
    this.lengthOf(8, 8);
    const high = Math.floor(value / 2 ** 32);
    this.at = this.buffer.writeInt32BE(high, this.at);
    this.at = this.buffer.writeUInt32BE(value - high * 2 ** 32, this.at);
  }

  /** @param ms epoch milliseconds. */
  timestamp(ms: number): void {
    this.bigint((ms - epoch2000Ms) * 1000);
  }

  flag(value: boolean): void {
    this.lengthOf(1, 1);
    this.buffer[this.at++] = value ? 1 : 0;
  }

  data(value: Buffer | null): void {
    if (value === null) {
      this.absent();
      return;
    }
    this.lengthOf(value.length, value.length);
    this.at += value.copy(this.buffer, this.at);
  }

  /** Bytes, each a character. */
  latin1(value: string): void {
    this.lengthOf(value.length, value.length);
    this.at += this.buffer.write(value, this.at, 'latin1');
  }

  text(value: string | null): void {
    if (value === null) {
      this.absent();
      return;
    }
    this.room(4 + value.length * 3);
    const written = this.buffer.write(value, this.at + 4);
    this.buffer.writeInt32BE(written, this.at);
    this.at += 4 + written;
  }

  json(value: string): void {
    this.room(5 + value.length * 3);
    const written = this.buffer.write(value, this.at + 5);
    this.buffer.writeInt32BE(written + 1, this.at);
    this.buffer[this.at + 4] = jsonbVersion;
    this.at += 5 + written;
  }

  private lengthOf(length: number, room: number): void {
    this.room(4 + room);
    this.at = this.buffer.writeInt32BE(length, this.at);
  }

  private room(wanted: number): void {
    if (this.at + wanted <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.at + wanted));
    this.buffer.copy(grown, 0, 0, this.at);
    this.buffer = grown;
  }
}
