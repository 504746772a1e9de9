import type { AuditRecord } from '@tributary/contracts';
import { type CopyBuffer, copyEnd, copyStart } from './copy-buffer.js';
import type { LedgerEntry } from './ledger-row.js';

/** What has to be known of a row when it is written: its record is forgotten by then. */
export interface RowFact {
  readonly partition: number;
  readonly offset: number;
  /** When the broker got it. */
  readonly timestampMs: number;
  readonly auditId: string;
  readonly action: string;
  readonly originTopic: string | null;
  readonly originPartition: number;
  readonly originOffset: number;
  readonly entity: string | null;
  /** Undefined: it adds to no sum. */
  readonly summed: Summed | undefined;
  /** Where its bytes are in its batch. */
  readonly start: number;
  readonly end: number;
}

/** What a delivery or an attempt adds to the sums of its month. */
export interface Summed extends Pick<AuditRecord, 'outcome' | 'durationMs'> {
  readonly tenant: string;
  readonly destination: string;
  /** From acceptance to now. */
  readonly latencyMs: number;
}

export function factOf(entry: LedgerEntry, start: number, end: number): RowFact {
  const { record, partition, offset, timestampMs } = entry;
  const { auditId, action, originTopic, originPartition, originOffset, entity } = record;
  const summed = summedOf(record);
  return {
    partition,
    offset: Number(offset),
    timestampMs,
    auditId,
    action,
    originTopic,
    originPartition,
    originOffset,
    entity,
    summed,
    start,
    end,
  };
}

function summedOf({
  action,
  destination,
  tenant,
  outcome,
  durationMs,
  details,
  occurredAt,
}: AuditRecord): Summed | undefined {
  if (destination === null || (action !== 'settled' && action !== 'attempted')) return undefined;
  const acceptedAtMs = Number(details.acceptedAtMs ?? occurredAt);
  const latencyMs = Number.isFinite(acceptedAtMs) ? Math.max(0, occurredAt - acceptedAtMs) : 0;
  return { tenant: tenant ?? '', destination, outcome, durationMs, latencyMs };
}

/** Rows that are encrypted, hashed and written out for a COPY. */
export class PreparedBatch {
  constructor(
    private readonly rows: Pick<CopyBuffer, 'bytes' | 'release'>,
    readonly facts: readonly RowFact[],
  ) {}

  get bytes(): Buffer {
    return this.rows.bytes();
  }

  /** When it is written: it cannot be written again. */
  release(): void {
    this.rows.release();
  }
}

/** The COPY of those rows of the batches that are wanted, or of all; those among `repeats` are marked as such. */
export function copyChunks(
  batches: readonly PreparedBatch[],
  wanted: ReadonlySet<RowFact> | 'all',
  repeats: ReadonlySet<RowFact>,
): Buffer[] {
  const chunks: Buffer[] = [copyStart];
  for (const { bytes, facts } of batches) {
    // Said of each: these bytes may have been in a transaction that failed, in which other rows came before.
    for (const fact of facts) bytes[fact.end - 1] = repeats.has(fact) ? 1 : 0;
    if (wanted === 'all') chunks.push(bytes);
    else for (const fact of facts) if (wanted.has(fact)) chunks.push(bytes.subarray(fact.start, fact.end));
  }
  return [...chunks, copyEnd];
}
