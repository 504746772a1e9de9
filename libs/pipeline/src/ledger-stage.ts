import type { AuditRecord } from '@tributary/contracts';
import { type Failure, type Settlement, sha256Hex, unreadableRecord } from '@tributary/domain';
import type { IncomingRecord } from '@tributary/kafka';
import type { LedgerEntry } from '@tributary/persistence';
import type { RecordCodec } from './ports.js';
import { failureUnlessRetryable, invalidRecord } from './record-failure.js';

export interface LedgerPorts {
  readonly codec: Pick<RecordCodec, 'decode'>;
  /** Durable when it returns; writing an entry again changes nothing. @throws RowRefused for values that cannot be kept. */
  readonly write: (entries: readonly LedgerEntry[]) => Promise<void>;
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

/** Audit records in, ledger rows out, many at a time. A record is settled only after its batch is committed. */
export class LedgerStage {
  private waiting: Waiting[] = [];
  private writing = false;
  private scheduled = false;

  constructor(private readonly ports: LedgerPorts) {}

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
    if (this.scheduled || this.writing || this.waiting.length === 0) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      void this.flush();
    });
  }

  private async flush(): Promise<void> {
    this.writing = true;
    const batch = this.waiting.splice(0, mostRowsAtOnce);
    await this.write(batch);
    this.writing = false;
    this.schedule();
  }

  private async write(batch: readonly Waiting[]): Promise<void> {
    try {
      await this.ports.write(batch.map(({ entry }) => entry));
      this.ports.onWritten(batch.length);
      for (const { resolve } of batch) resolve();
    } catch (error) {
      await this.settleFailed(batch, error);
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
      await this.write(batch.slice(0, middle));
      await this.write(batch.slice(middle));
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
