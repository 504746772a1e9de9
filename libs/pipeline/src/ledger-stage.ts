import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditRecord } from '@tributary/contracts';
import { type Failure, sha256Hex, unreadableRecord } from '@tributary/domain';
import type { IncomingRecord } from '@tributary/kafka';
import type { LedgerEntry } from '@tributary/persistence';
import { Places } from './places.js';
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

/** A transaction asks the same few questions however many rows it has, so it waits a moment for so many. */
const leastRowsAtOnce = 1_000;
const mostRowsAtOnce = 2_000;
const longestWaitMs = 20;
/** Of different partitions: while the one asks and commits, the database copies the rows of the other. */
const transactionsAtOnce = 2;
/** While one waits for its keys, the next is read. More would only be old by the time they are written out. */
const preparedAtOnce = 2;
const none: Failures = new Map();

/** Audit records in, ledger rows out, many at a time. Records are answered for only after their rows are committed. */
export class LedgerStage<Prepared = unknown> {
  private readonly writers: readonly Writer<Prepared>[] = Array.from({ length: transactionsAtOnce }, () => ({
    waiting: [],
    isWriting: false,
  }));
  private readonly places = new Places(preparedAtOnce);

  constructor(private readonly ports: LedgerPorts<Prepared>) {}

  /** Keeps them all: a record that cannot be read or kept has a row that says so, and its failure is returned. */
  handle(records: readonly IncomingRecord[]): Promise<Failures> {
    return this.keep(records, 0);
  }

  /** @param from what the index of the first is counted as. */
  private async keep(records: readonly IncomingRecord[], from: number): Promise<Failures> {
    try {
      const { prepared, failures } = await this.places.use(() => this.prepare(records));
      await this.append(records[0]?.partition ?? 0, prepared, records.length);
      return from === 0 ? failures : new Map([...failures].map(([i, failure]) => [from + i, failure]));
    } catch (error) {
      // The records come again; the database decides when.
      if ((error as { retryable?: boolean }).retryable !== false) throw error;
      const [only] = records;
      if (only && records.length === 1) return new Map([[from, await this.refuse(only, error as Error)]]);
      // One entry must not take the others of its batch with it: halving finds it.
      const middle = Math.ceil(records.length / 2);
      const first = await this.keep(records.slice(0, middle), from);
      return new Map([...first, ...(await this.keep(records.slice(middle), from + middle))]);
    }
  }

  /** What is read here is forgotten here, rather than kept until its rows are written: there may be thousands waiting. */
  private async prepare(records: readonly IncomingRecord[]): Promise<{ prepared: Prepared; failures: Failures }> {
    const failures = new Map<number, Failure>();
    const entries: LedgerEntry[] = [];
    // By index: an iterator of pairs makes two objects for each record.
    for (let i = 0; i < records.length; i++) {
      const record = records[i] as IncomingRecord;
      const read = this.readKnown(record) ?? (await this.read(record));
      if (read instanceof Unreadable) {
        failures.set(i, read.failure);
        // Its offset has a row all the same: a gap in the ledger must never be anything but a loss.
        entries.push(entryOf(record, standInFor(record, read.failure)));
      } else entries.push(entryOf(record, read));
    }
    return { prepared: await this.ports.prepare(entries), failures: failures.size === 0 ? none : failures };
  }

  /** The ledger has a row that says so instead. */
  private async refuse(record: IncomingRecord, error: Error & { code?: string }): Promise<Failure> {
    const { code = 'invalid', message } = error;
    const failure: Failure = { errorClass: 'invalid', code, reason: message, stage: 'write' };
    try {
      const prepared = await this.ports.prepare([entryOf(record, standInFor(record, failure))]);
      await this.append(record.partition, prepared, 1);
      return failure;
    } catch (cause) {
      if ((cause as { retryable?: boolean }).retryable !== false) throw cause;
      throw new Error(`the ledger refuses even the row that says so of offset ${record.offset}: ${message}`, { cause });
    }
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
    while (writer.waiting.length > 0) {
      await this.untilMore(writer);
      await this.write(nextOf(writer.waiting));
    }
    writer.isWriting = false;
  }

  private async untilMore({ waiting }: Writer<Prepared>): Promise<void> {
    // Who comes in the same turn comes along.
    await new Promise((resolve) => setImmediate(resolve));
    const late = sleep(longestWaitMs, 'late', { ref: false });
    while (rowsOf(waiting) < leastRowsAtOnce && this.places.areUsed)
      if ((await Promise.race([this.places.nextFreed, late])) === 'late') return;
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
    this.ports.onWritten(rowsOf(batch));
    for (const { resolve } of batch) resolve();
  }
}

const rowsOf = (batches: ReadonlyArray<Waiting<unknown>>): number => batches.reduce((sum, { rows }) => sum + rows, 0);

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
