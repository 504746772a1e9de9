import type { AuditRecord } from '@tributary/contracts';
import { type Json, type LedgerRow, leafHashText } from '@tributary/ledger';
import { RowRefused } from '../database-errors.js';
import type { SplitRecord } from '../personal/personal-fields.js';
import type { CopyBuffer } from './copy-buffer.js';
import type { PersonalColumns } from './personal-columns.js';

/** An audit record with where and when the broker has it. */
export interface LedgerEntry {
  readonly partition: number;
  readonly offset: bigint;
  readonly timestampMs: number;
  readonly record: AuditRecord;
}

/** A row that is ready to be written. */
export interface PreparedRow {
  readonly row: LedgerRow;
  readonly columns: PersonalColumns | undefined;
  /** A byte to a character. */
  readonly leafHash: string;
}

/** The row as it will stand in the table; its columns in the order in which they are hashed, which is the cheapest. */
export function prepareRow(entry: LedgerEntry, split: SplitRecord, columns: PersonalColumns | undefined): PreparedRow {
  const { record } = entry;
  const row = {
    action: textSafe(record.action),
    actor: textSafe(record.actor),
    attempt: record.attempt,
    audit_id: textSafe(record.auditId),
    audit_offset: Number(entry.offset),
    audit_partition: entry.partition,
    connection_id: safe(record.connectionId),
    deliveries: record.deliveries.map((one) => ({
      connectionId: textSafe(one.connectionId),
      deliveryId: textSafe(one.deliveryId),
      destination: textSafe(one.destination),
      operation: textSafe(one.operation),
      subscriptionId: textSafe(one.subscriptionId),
    })),
    delivery_id: safe(record.deliveryId),
    destination: safe(record.destination),
    details: detailsOf(split.details),
    duration_ms: record.durationMs,
    entity: safe(record.entity),
    error_class: safe(record.errorClass),
    error_code: safe(record.errorCode),
    event_id: safe(record.eventId),
    event_source: safe(record.eventSource),
    event_type: safe(record.eventType),
    events: record.events,
    occurred_at: record.occurredAt,
    on_behalf_of: safe(record.onBehalfOf),
    operation: safe(record.operation),
    origin_offset: record.originOffset,
    origin_partition: record.originPartition,
    origin_topic: safe(record.originTopic),
    outcome: textSafe(record.outcome),
    payload_digest: safe(record.payloadDigest),
    personal: columns?.personalText ?? null,
    recorded_at: entry.timestampMs,
    skipped: split.skipped.map((one) => ({
      reason: textSafe(one.reason),
      subscriptionId: textSafe(one.subscriptionId),
    })),
    source: safe(record.source),
    stage: textSafe(record.stage),
    subject_index: columns?.subjectIndexText ?? null,
    subscription_id: safe(record.subscriptionId),
    tenant: safe(record.tenant),
    trace_id: safe(record.traceId),
  } satisfies LedgerRow;
  return { row, columns, leafHash: hashOf(row) };
}

function hashOf(row: LedgerRow): string {
  try {
    return leafHashText(row);
  } catch (error) {
    // A number that no row can hold exactly: the record is at fault, and it alone.
    throw new RowRefused(error);
  }
}

function detailsOf(details: Readonly<Record<string, string>>): { readonly [name: string]: Json } {
  const entries = Object.entries(details).map(([name, value]) => [textSafe(name), textSafe(value)] as const);
  return Object.fromEntries(entries.length < 2 ? entries : entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const safe = (value: string | null): string | null => (value === null ? null : textSafe(value));

// PostgreSQL text holds anything but NUL. What came from outside may hold one; the digest still tells the original.
const textSafe = (value: string): string => (value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value);

export type ColumnKind = 'text' | 'int' | 'bigint' | 'timestamp' | 'json';

/** Every column that is hashed, with how it is written. The order is that of the COPY. */
export const hashedColumns = {
  recorded_at: 'timestamp',
  occurred_at: 'timestamp',
  audit_offset: 'bigint',
  origin_offset: 'bigint',
  duration_ms: 'bigint',
  audit_partition: 'int',
  origin_partition: 'int',
  attempt: 'int',
  events: 'int',
  audit_id: 'text',
  stage: 'text',
  action: 'text',
  outcome: 'text',
  actor: 'text',
  on_behalf_of: 'text',
  tenant: 'text',
  source: 'text',
  connection_id: 'text',
  event_source: 'text',
  event_id: 'text',
  event_type: 'text',
  entity: 'text',
  delivery_id: 'text',
  subscription_id: 'text',
  destination: 'text',
  operation: 'text',
  origin_topic: 'text',
  error_class: 'text',
  error_code: 'text',
  payload_digest: 'text',
  trace_id: 'text',
  deliveries: 'json',
  skipped: 'json',
  details: 'json',
} as const satisfies Record<string, ColumnKind>;

const names = Object.keys(hashedColumns) as ReadonlyArray<keyof typeof hashedColumns>;

type Write = (to: CopyBuffer, value: Json) => void;

const writers: Readonly<Record<ColumnKind, Write>> = {
  text: (to, value) => to.text(value as string | null),
  int: (to, value) => to.int(value as number),
  bigint: (to, value) => to.bigint(value as number),
  timestamp: (to, value) => to.timestamp(value as number),
  json: (to, value) => to.json(JSON.stringify(value)),
};

/** In the order in which `writeRow` writes them. */
export const copiedColumns: readonly string[] = [...names, 'subject_index', 'personal', 'leaf_hash', 'is_repeat'];

const columnWriters = names.map((name) => writers[hashedColumns[name]]);

/** @throws RangeError for a number that its column cannot hold. */
export function writeRow(to: CopyBuffer, { row, columns, leafHash: leaf }: PreparedRow): void {
  to.row(copiedColumns.length);
  // By index: an iterator of pairs makes three objects for each column of each row.
  for (let i = 0; i < names.length; i++) (columnWriters[i] as Write)(to, row[names[i] as string] as Json);
  to.data(columns?.subjectIndex ?? null);
  to.data(columns?.personal ?? null);
  to.latin1(leaf);
  // The last byte: whether it is a repeat is known only when it is written.
  to.flag(false);
}
