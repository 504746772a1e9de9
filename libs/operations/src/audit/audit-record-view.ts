import type { PersonalReading, SealedRow } from '@tributary/persistence';

/** A fact of the ledger as people and programs get it. */
export interface AuditFact {
  /** Where it is in the audit topic: `<partition>/<offset>`. */
  readonly position: string;
  readonly auditId: string;
  readonly recordedAt: string;
  readonly occurredAt: string;
  readonly stage: string;
  readonly action: string;
  readonly outcome: string;
  readonly actor: string;
  readonly onBehalfOf: string | null;
  readonly tenant: string | null;
  readonly source: string | null;
  readonly connection: string | null;
  readonly destination: string | null;
  readonly operation: string | null;
  readonly eventSource: string | null;
  readonly event: string | null;
  readonly eventType: string | null;
  readonly entity: string | null;
  readonly delivery: string | null;
  readonly subscription: string | null;
  readonly attempt: number;
  /** `<topic>/<partition>/<offset>` of the record that it is about. */
  readonly origin: string | null;
  readonly errorClass: string | null;
  readonly errorCode: string | null;
  readonly durationMs: number;
  readonly payloadDigest: string | null;
  readonly traceId: string | null;
  readonly details: Readonly<Record<string, string>>;
  /** Whether what is personal could be read; `locked`: here are no keys. */
  readonly personal: PersonalReading['state'] | 'locked';
  readonly subject: string | null;
  readonly reason: string | null;
  readonly receipt: string | null;
}

export type FactRow = SealedRow & Readonly<Record<string, unknown>>;

/** @param reading undefined: nobody tried. */
export function factOf(row: FactRow, reading: PersonalReading | undefined): AuditFact {
  const fields = reading?.state === 'open' ? reading.fields : undefined;
  const text = (column: string) => (row[column] as string | null | undefined) ?? null;
  return {
    position: `${row.audit_partition}/${row.audit_offset}`,
    auditId: String(row.audit_id),
    recordedAt: (row.recorded_at as Date).toISOString(),
    occurredAt: (row.occurred_at as Date).toISOString(),
    stage: String(row.stage),
    action: String(row.action),
    outcome: String(row.outcome),
    actor: String(row.actor),
    onBehalfOf: text('on_behalf_of'),
    tenant: text('tenant'),
    source: text('source'),
    connection: text('connection_id'),
    destination: text('destination'),
    operation: text('operation'),
    eventSource: text('event_source'),
    event: text('event_id'),
    eventType: text('event_type'),
    entity: text('entity'),
    delivery: text('delivery_id'),
    subscription: text('subscription_id'),
    attempt: Number(row.attempt),
    origin: text('origin_topic') && `${row.origin_topic}/${row.origin_partition}/${row.origin_offset}`,
    errorClass: text('error_class'),
    errorCode: text('error_code'),
    durationMs: Number(row.duration_ms),
    payloadDigest: text('payload_digest'),
    traceId: text('trace_id'),
    details: { ...(row.details as Record<string, string>), ...fields?.details },
    personal: reading?.state ?? (row.subject_index === null ? 'none' : 'locked'),
    subject: fields?.subject ?? null,
    reason: fields?.reason ?? null,
    receipt: fields?.receipt ?? null,
  };
}
