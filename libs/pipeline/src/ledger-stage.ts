import type { AuditRecord } from '@tributary/contracts';
import { type Failure, type Settlement, sha256Hex, unreadableRecord } from '@tributary/domain';
import type { IncomingRecord } from '@tributary/kafka';
import type { LedgerEntry } from '@tributary/persistence';
import type { RecordCodec } from './ports.js';
import { failureUnlessRetryable, invalidRecord } from './record-failure.js';

export interface LedgerPorts<Prepared = unknown> {
  readonly codec: Pick<RecordCodec, 'decode'>;
  /** What of the writing can be done while another batch is written. @throws as `write`. */
  readonly prepare: (entries: readonly LedgerEntry[]) => Promise<Prepared>;
  /** Durable when it returns; writing an entry again changes nothing. @throws RowRefused for values that cannot be kept. */
  readonly write: (prepared: Prepared) => Promise<void>;
  readonly onWritten: (rows: number) => void;
}

interface Waiting {
  readonly entry: LedgerEntry;
  /** With a failure when the ledger refuses the entry for good. */
  readonly resolve: (refused?: Failure) => void;
  readonly reject: (error: unknown) => void;
}

type Reading = { readonly ok: true; readonly value: AuditRecord } | { readonly ok: false; readonly failure: Failure };

const mostRowsAtOnce = 2_000;
const nothingBefore = Promise.resolve();

/** Audit records in, ledger rows out, many at a time. A record is settled only after its batch is committed. */
export class LedgerStage<Prepared = unknown> {
  private waiting: Waiting[] = [];
  private preparing = false;
  private scheduled = false;
  /** The batch before: the next one is prepared meanwhile, and written after it. */
  private written: Promise<void> = Promise.resolve();
  private writing = 0;

  constructor(private readonly ports: LedgerPorts<Prepared>) {}

  async handle(record: IncomingRecord): Promise<Settlement> {
    const read = await this.read(record);
    const failure = read.ok ? await this.append(entryOf(record, read.value)) : read.failure;
    if (!failure) return { to: 'commit' };
    // Its offset has a row all the same: a gap in the ledger must never be anything but a loss.
    const refused = await this.append(entryOf(record, standInFor(record, failure)));
    if (refused)
      throw new Error(`the ledger refuses even the row that says so of offset ${record.offset}: ${refused.reason}`);
    return { to: 'deadLetter', failure };
  }

  private async read(record: IncomingRecord): Promise<Reading> {
    if (!record.value) {
      return { ok: false, failure: invalidRecord('decode', 'value-missing', 'the record has no value') };
    }
    try {
      const { value } = await this.ports.codec.decode<AuditRecord>(record.value, 'tributary.audit.AuditRecord');
      return { ok: true, value };
    } catch (error) {
      return { ok: false, failure: failureUnlessRetryable(error, 'decode') };
    }
  }

  private append(entry: LedgerEntry): Promise<Failure | undefined> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ entry, resolve, reject });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled || this.preparing || this.waiting.length === 0) return;
    // A second batch while one is written is worth it only when it is as large as batches get: what waits grows meanwhile.
    if (this.writing > 0 && (this.writing > 1 || this.waiting.length < mostRowsAtOnce)) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      void this.flush();
    });
  }

  private async flush(): Promise<void> {
    const batch = this.waiting.splice(0, mostRowsAtOnce);
    const before = this.written;
    this.preparing = true;
    this.writing += 1;
    this.written = this.write(batch, before);
    await this.written;
    this.writing -= 1;
    this.schedule();
  }

  private async write(batch: readonly Waiting[], before: Promise<void>): Promise<void> {
    try {
      const prepared = await this.prepare(batch);
      await before;
      await this.ports.write(prepared);
      this.ports.onWritten(batch.length);
      for (const { resolve } of batch) resolve();
    } catch (error) {
      await before;
      await this.settleFailed(batch, error);
    }
  }

  private async prepare(batch: readonly Waiting[]): Promise<Prepared> {
    try {
      return await this.ports.prepare(batch.map(({ entry }) => entry));
    } finally {
      this.preparing = false;
      this.schedule();
    }
  }

  private async settleFailed(batch: readonly Waiting[], error: unknown): Promise<void> {
    const { retryable, code } = error as { retryable?: boolean; code?: string };
    // The records go back to their lanes and come again; the database decides when.
    if (retryable !== false) {
      for (const { reject } of batch) reject(error);
    } else if (batch.length === 1) {
      const reason = (error as Error).message;
      batch[0]?.resolve({ errorClass: 'invalid', code: code ?? 'invalid', reason, stage: 'write' });
    } else {
      // One entry must not take the others of its batch with it: halving finds it.
      const middle = Math.ceil(batch.length / 2);
      await this.write(batch.slice(0, middle), nothingBefore);
      await this.write(batch.slice(middle), nothingBefore);
    }
  }
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
