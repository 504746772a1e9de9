import type { AuditRecord } from '@tributary/contracts';
import { type Json, type LedgerRow, leafHashOf, rowText } from '@tributary/ledger';
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

/** The row as it will stand in the table. @throws RowRefused for a number that no row can hold exactly. */
export function prepareRow(entry: LedgerEntry, split: SplitRecord, columns: PersonalColumns | undefined): PreparedRow {
  const row = rowOf(entry, split, columns);
  const text = textOf(row);
  // Seldom, and looked for in one text instead of thirty; nor is anything lost by taking a backslash before `u0000` for one.
  if (!text.includes('\\u0000')) return { row, columns, leafHash: leafHashOf(text) };
  const storable = withoutNul(row) as LedgerRow;
  return { row: storable, columns, leafHash: leafHashOf(textOf(storable)) };
}

/** Columns in the order in which they are hashed, which is the cheapest. */
function rowOf(
  { record, partition, offset, timestampMs }: LedgerEntry,
  { skipped, details }: SplitRecord,
  columns: PersonalColumns | undefined,
): LedgerRow {
  return {
    action: record.action,
    actor: record.actor,
    attempt: record.attempt,
    audit_id: record.auditId,
    audit_offset: Number(offset),
    audit_partition: partition,
    connection_id: record.connectionId,
    deliveries: record.deliveries.length === 0 ? none : record.deliveries.map(deliveryOf),
    delivery_id: record.deliveryId,
    destination: record.destination,
    details: inOrder(details),
    duration_ms: record.durationMs,
    entity: record.entity,
    error_class: record.errorClass,
    error_code: record.errorCode,
    event_id: record.eventId,
    event_source: record.eventSource,
    event_type: record.eventType,
    events: record.events,
    occurred_at: record.occurredAt,
    on_behalf_of: record.onBehalfOf,
    operation: record.operation,
    origin_offset: record.originOffset,
    origin_partition: record.originPartition,
    origin_topic: record.originTopic,
    outcome: record.outcome,
    payload_digest: record.payloadDigest,
    personal: columns?.personalText ?? null,
    recorded_at: timestampMs,
    skipped: skipped.length === 0 ? none : skipped.map(({ reason, subscriptionId }) => ({ reason, subscriptionId })),
    source: record.source,
    stage: record.stage,
    subject_index: columns?.subjectIndexText ?? null,
    subscription_id: record.subscriptionId,
    tenant: record.tenant,
    trace_id: record.traceId,
  };
}

const none: readonly never[] = [];

const deliveryOf = (one: AuditRecord['deliveries'][number]): Json => ({
  connectionId: one.connectionId,
  deliveryId: one.deliveryId,
  destination: one.destination,
  operation: one.operation,
  subscriptionId: one.subscriptionId,
});

type Texts = Readonly<Record<string, string>>;

function inOrder(details: Texts): Texts {
  const names = Object.keys(details);
  if (names.length < 2) return details;
  return Object.fromEntries(names.sort().map((name) => [name, details[name] as string]));
}

function textOf(row: LedgerRow): string {
  try {
    return rowText(row);
  } catch (error) {
    // The record is at fault, and it alone.
    throw new RowRefused(error);
  }
}

/** PostgreSQL text holds anything but NUL. What came from outside may hold one; the digest still tells the original. */
function withoutNul(value: Json): Json {
  if (typeof value === 'string') return value.replaceAll('\0', '\uFFFD');
  if (Array.isArray(value)) return value.map(withoutNul);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map((pair) => pair.map(withoutNul))) as Json;
}

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
  json: (to, value) => to.json(value === none ? '[]' : JSON.stringify(value)),
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
