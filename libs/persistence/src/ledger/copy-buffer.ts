const signature = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const jsonbVersion = 1;
/** PostgreSQL counts microseconds from the year 2000. */
const epoch2000Ms = 946_684_800_000;
const firstBytes = 1 << 20;

/** Rows in PostgreSQL's binary COPY format. Not to be used again after `take`. */
export class CopyBuffer {
  private bytes = Buffer.allocUnsafe(firstBytes);
  private at = signature.length;

  constructor() {
    signature.copy(this.bytes);
  }

  row(columns: number): void {
    this.room(2);
    this.at = this.bytes.writeInt16BE(columns, this.at);
  }

  absent(): void {
    this.length(-1, 0);
  }

  int(value: number): void {
    this.length(4, 4);
    this.at = this.bytes.writeInt32BE(value, this.at);
  }

  bigint(value: number | bigint): void {
    this.length(8, 8);
    this.at = this.bytes.writeBigInt64BE(BigInt(value), this.at);
  }

  /** @param ms epoch milliseconds. */
  timestamp(ms: number): void {
    this.bigint((ms - epoch2000Ms) * 1000);
  }

  flag(value: boolean): void {
    this.length(1, 1);
    this.bytes[this.at++] = value ? 1 : 0;
  }

  data(value: Buffer | null): void {
    if (value === null) {
      this.absent();
      return;
    }
    this.length(value.length, value.length);
    this.at += value.copy(this.bytes, this.at);
  }

  text(value: string | null): void {
    if (value === null) {
      this.absent();
      return;
    }
    this.room(4 + value.length * 3);
    const written = this.bytes.write(value, this.at + 4);
    this.bytes.writeInt32BE(written, this.at);
    this.at += 4 + written;
  }

  json(value: string): void {
    this.room(5 + value.length * 3);
    const written = this.bytes.write(value, this.at + 5);
    this.bytes.writeInt32BE(written + 1, this.at);
    this.bytes[this.at + 4] = jsonbVersion;
    this.at += 5 + written;
  }

  /** Everything so far, and the end of the data. */
  take(): Buffer {
    this.room(2);
    this.at = this.bytes.writeInt16BE(-1, this.at);
    return this.bytes.subarray(0, this.at);
  }

  private length(length: number, room: number): void {
    this.room(4 + room);
    this.at = this.bytes.writeInt32BE(length, this.at);
  }

  private room(wanted: number): void {
    if (this.at + wanted <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + wanted));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }
}
