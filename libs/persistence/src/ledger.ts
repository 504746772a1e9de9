import type { AuditRecord } from '@tributary/contracts';
import type { Database } from './database.js';
import { forRecords } from './database-errors.js';

/** An audit record with where and when the broker has it. */
export interface LedgerEntry {
  readonly partition: number;
  readonly offset: bigint;
  readonly timestampMs: number;
  readonly record: AuditRecord;
}

interface Column {
  readonly name: string;
  readonly type: string;
  read(entry: LedgerEntry): unknown;
}

const field = (name: string, member: keyof AuditRecord, type = 'text'): Column => ({
  name,
  type,
  read: ({ record }) => record[member],
});

const json = (name: string, member: keyof AuditRecord): Column => ({
  name,
  type: 'jsonb',
  read: ({ record }) => withoutNul(JSON.stringify(record[member])),
});

const timestamp = (name: string, read: (entry: LedgerEntry) => number): Column => ({
  name,
  type: 'timestamptz',
  read: (entry) => new Date(read(entry)).toISOString(),
});

const columns: readonly Column[] = [
  timestamp('recorded_at', (entry) => entry.timestampMs),
  { name: 'audit_partition', type: 'int', read: (entry) => entry.partition },
  { name: 'audit_offset', type: 'bigint', read: (entry) => entry.offset.toString() },
  field('audit_id', 'auditId'),
  field('stage', 'stage'),
  field('action', 'action'),
  field('outcome', 'outcome'),
  field('actor', 'actor'),
  field('on_behalf_of', 'onBehalfOf'),
  field('tenant', 'tenant'),
  timestamp('occurred_at', (entry) => entry.record.occurredAt),
  field('source', 'source'),
  field('connection_id', 'connectionId'),
  field('event_source', 'eventSource'),
  field('event_id', 'eventId'),
  field('event_type', 'eventType'),
  field('subject', 'subject'),
  field('entity', 'entity'),
  field('delivery_id', 'deliveryId'),
  field('subscription_id', 'subscriptionId'),
  field('destination', 'destination'),
  field('operation', 'operation'),
  field('attempt', 'attempt', 'int'),
  field('origin_topic', 'originTopic'),
  field('origin_partition', 'originPartition', 'int'),
  field('origin_offset', 'originOffset', 'bigint'),
  field('error_class', 'errorClass'),
  field('error_code', 'errorCode'),
  field('reason', 'reason'),
  field('receipt', 'receipt'),
  field('duration_ms', 'durationMs', 'bigint'),
  field('payload_digest', 'payloadDigest'),
  field('trace_id', 'traceId'),
  field('events', 'events', 'int'),
  json('deliveries', 'deliveries'),
  json('skipped', 'skipped'),
  json('details', 'details'),
];

const insertEntries = `
  INSERT INTO ledger.audit_record (${columns.map((column) => column.name).join(', ')})
  SELECT * FROM unnest(${columns.map((column, i) => `$${i + 1}::${column.type}[]`).join(', ')})
  ON CONFLICT DO NOTHING`;

const advancePositions = `
  INSERT INTO ledger.position (audit_partition, next_offset)
  SELECT * FROM unnest($1::int[], $2::bigint[])
  ON CONFLICT (audit_partition) DO UPDATE
  SET next_offset = GREATEST(ledger.position.next_offset, EXCLUDED.next_offset), updated_at = now()`;

/** Writes the ledger. Writing the same entry again changes nothing. */
export class Ledger {
  private readonly months = new Set<string>();

  constructor(private readonly database: Pick<Database, 'query' | 'transaction'>) {}

  /**
   * Writes a batch in one transaction; durable when it returns.
   * @throws RowRefused when the values of some entry cannot be kept; nothing of the batch was written then.
   */
  async write(entries: readonly LedgerEntry[]): Promise<void> {
    if (entries.length === 0) return;
    try {
      await this.writeBatch(entries);
    } catch (error) {
      throw forRecords(error);
    }
  }

  private async writeBatch(entries: readonly LedgerEntry[]): Promise<void> {
    await this.ensureMonths(entries);
    const next = nextOffsets(entries);
    await this.database.transaction(async (query) => {
      await query(
        insertEntries,
        columns.map((column) => entries.map((entry) => textSafe(column.read(entry)))),
        'ledger-insert',
      );
      await query(advancePositions, [[...next.keys()], [...next.values()].map(String)], 'ledger-position');
    });
  }

  /** Creates the partition of this month and of the next, ahead of need. */
  async prepare(nowMs: number): Promise<void> {
    const now = new Date(nowMs);
    await this.ensureMonth(nowMs);
    await this.ensureMonth(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1));
  }

  private async ensureMonths(entries: readonly LedgerEntry[]): Promise<void> {
    const perMonth = new Map(entries.map((entry) => [monthOf(entry.timestampMs), entry.timestampMs]));
    for (const moment of perMonth.values()) await this.ensureMonth(moment);
  }

  private async ensureMonth(moment: number): Promise<void> {
    const month = monthOf(moment);
    if (this.months.has(month)) return;
    await this.database.query('SELECT ledger.ensure_month($1::timestamptz)', [new Date(moment).toISOString()]);
    this.months.add(month);
  }
}

const monthOf = (moment: number): string => new Date(moment).toISOString().slice(0, 7);

function nextOffsets(entries: readonly LedgerEntry[]): Map<number, bigint> {
  const next = new Map<number, bigint>();
  for (const { partition, offset } of entries) {
    const before = next.get(partition) ?? 0n;
    if (offset + 1n > before) next.set(partition, offset + 1n);
  }
  return next;
}

// PostgreSQL text holds anything but NUL. What came from outside may hold one; the digest still tells the original.
const textSafe = (value: unknown): unknown =>
  typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value;
// An escape counts only when its backslash is not itself escaped.
const withoutNul = (text: string): string => text.replace(/(?<!\\)((?:\\\\)*)\\u0000/g, '$1\\ufffd');
