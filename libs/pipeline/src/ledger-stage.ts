import type { AuditRecord } from '@tributary/contracts';
import { type Failure, sha256Hex, unreadableRecord } from '@tributary/domain';
import type { IncomingRecord } from '@tributary/kafka';
import type { LedgerEntry } from '@tributary/persistence';
import type { RecordCodec } from './ports.js';
import { failureUnlessRetryable, invalidRecord } from './record-failure.js';

export interface LedgerPorts<Prepared = unknown> {
  readonly codec: Pick<RecordCodec, 'decode' | 'decodeKnown'>;
  /** What of the writing can be done while another batch is written. @throws as `write`. */
  readonly prepare: (entries: readonly LedgerEntry[]) => Promise<Prepared>;
  /** All in one transaction, durable when it returns; called for different partitions at the same time. Writing an entry again changes nothing. @throws RowRefused for values that cannot be kept. */
  readonly write: (prepared: readonly Prepared[]) => Promise<void>;
  readonly onWritten: (rows: number) => void;
}

/** What waits for its transaction, of some of the partitions. */
interface Writer<Prepared> {
  readonly waiting: Waiting<Prepared>[];
  isWriting: boolean;
}

interface Waiting<Prepared> {
  readonly prepared: Prepared;
  readonly rows: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

class Unreadable {
  constructor(readonly failure: Failure) {}
}

/** Failures by the index of their record. */
type Failures = ReadonlyMap<number, Failure>;

const mostRowsAtOnce = 2_000;
/** Of different partitions: while the one asks and commits, the database copies the rows of the other. */
const transactionsAtOnce = 2;
const none: Failures = new Map();

/** Audit records in, ledger rows out, many at a time. Records are answered for only after their rows are committed. */
export class LedgerStage<Prepared = unknown> {
  private readonly writers: readonly Writer<Prepared>[] = Array.from({ length: transactionsAtOnce }, () => ({
    waiting: [],
    isWriting: false,
  }));
  private lastTurn: Promise<void> = Promise.resolve();

  constructor(private readonly ports: LedgerPorts<Prepared>) {}

  /** Keeps them all: a record that cannot be read or kept has a row that says so, and its failure is returned. */
  async handle(records: readonly IncomingRecord[]): Promise<Failures> {
    await this.turn();
    const failures = new Map<number, Failure>();
    const entries: LedgerEntry[] = [];
    for (const [i, record] of records.entries()) {
      const read = this.readKnown(record) ?? (await this.read(record));
      if (read instanceof Unreadable) {
        failures.set(i, read.failure);
        // Its offset has a row all the same: a gap in the ledger must never be anything but a loss.
        entries.push(entryOf(record, standInFor(record, read.failure)));
      } else entries.push(entryOf(record, read));
    }
    for (const [i, failure] of await this.keep(entries)) {
      const record = records[i] as IncomingRecord;
      const before = failures.get(i);
      if (before ?? (await this.keep([entryOf(record, standInFor(record, failure))])).size > 0)
        throw new Error(`the ledger refuses even the row that says so of offset ${record.offset}: ${failure.reason}`);
      failures.set(i, failure);
    }
    return failures;
  }

  /** One batch in each turn of the event loop: a transaction is many questions, and none may wait for all that is prepared. */
  private turn(): Promise<void> {
    this.lastTurn = this.lastTurn.then(() => new Promise((resolve) => setImmediate(resolve)));
    return this.lastTurn;
  }

  /** Undefined: not without the registry. */
  private readKnown({ value }: IncomingRecord): AuditRecord | Unreadable | undefined {
    if (!value) return new Unreadable(invalidRecord('decode', 'value-missing', 'the record has no value'));
    try {
      return this.ports.codec.decodeKnown<AuditRecord>(value, 'tributary.audit.AuditRecord')?.value;
    } catch (error) {
      return new Unreadable(failureUnlessRetryable(error, 'decode'));
    }
  }

  private async read({ value }: IncomingRecord): Promise<AuditRecord | Unreadable> {
    try {
      return (await this.ports.codec.decode<AuditRecord>(value as Buffer, 'tributary.audit.AuditRecord')).value;
    } catch (error) {
      return new Unreadable(failureUnlessRetryable(error, 'decode'));
    }
  }

  /** Which of them the ledger refuses for good; the others are in it. */
  private async keep(entries: readonly LedgerEntry[], from = 0): Promise<Failures> {
    try {
      await this.append(entries[0]?.partition ?? 0, await this.ports.prepare(entries), entries.length);
      return none;
    } catch (error) {
      const { retryable, code } = error as { retryable?: boolean; code?: string };
      // The records come again; the database decides when.
      if (retryable !== false) throw error;
      if (entries.length === 1) {
        const { message } = error as Error;
        return new Map([[from, { errorClass: 'invalid', code: code ?? 'invalid', reason: message, stage: 'write' }]]);
      }
      // One entry must not take the others of its batch with it: halving finds it.
      const middle = Math.ceil(entries.length / 2);
      const first = await this.keep(entries.slice(0, middle), from);
      return new Map([...first, ...(await this.keep(entries.slice(middle), from + middle))]);
    }
  }

  private append(partition: number, prepared: Prepared, rows: number): Promise<void> {
    const writer = this.writers[partition % transactionsAtOnce] as Writer<Prepared>;
    return new Promise((resolve, reject) => {
      writer.waiting.push({ prepared, rows, resolve, reject });
      if (!writer.isWriting) void this.writeAll(writer);
    });
  }

  /** One transaction after the other, each with what has come meanwhile. */
  private async writeAll(writer: Writer<Prepared>): Promise<void> {
    writer.isWriting = true;
    // Who comes in the same turn comes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (writer.waiting.length > 0) await this.write(nextOf(writer.waiting));
    writer.isWriting = false;
  }

  private async write(batch: readonly Waiting<Prepared>[]): Promise<void> {
    try {
      await this.ports.write(batch.map(({ prepared }) => prepared));
    } catch (error) {
      const isRefused = (error as { retryable?: boolean }).retryable === false;
      // Only who sent the entry that is refused may hear of it.
      if (isRefused && batch.length > 1) for (const one of batch) await this.write([one]);
      else for (const { reject } of batch) reject(error);
      return;
    }
    this.ports.onWritten(batch.reduce((sum, { rows }) => sum + rows, 0));
    for (const { resolve } of batch) resolve();
  }
}

function nextOf<Prepared>(waiting: Waiting<Prepared>[]): Waiting<Prepared>[] {
  let rows = 0;
  const end = waiting.findIndex((one) => {
    rows += one.rows;
    return rows > mostRowsAtOnce;
  });
  return waiting.splice(0, end < 0 ? waiting.length : Math.max(1, end));
}

const entryOf = ({ partition, offset, timestampMs }: IncomingRecord, record: AuditRecord): LedgerEntry => ({
  partition,
  offset,
  timestampMs,
  record,
});

const standInFor = ({ topic, partition, offset, timestampMs, value }: IncomingRecord, failure: Failure): AuditRecord =>
  unreadableRecord({
    origin: { topic, partition, offset },
    timestampMs,
    failure,
    payloadDigest: sha256Hex(value ?? Buffer.alloc(0)),
  });
