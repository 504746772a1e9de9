import { topics } from '@tributary/contracts';
import { type LedgerRow, leafHash } from '@tributary/ledger';

/** Version of the OCSF schema that the events follow. */
const schemaVersion = '1.6.0';

const classes = {
  entityManagement: {
    class_uid: 3004,
    class_name: 'Entity Management',
    category_uid: 3,
    category_name: 'Identity & Access Management',
  },
  apiActivity: { class_uid: 6003, class_name: 'API Activity', category_uid: 6, category_name: 'Application Activity' },
} as const;

/** Both classes have these four; 99 is none of them, and has our own name of it. */
const activityNames: Readonly<Record<number, string>> = { 1: 'Create', 2: 'Read', 3: 'Update', 4: 'Delete' };
const other = 99;
const activities: Readonly<Record<string, number>> = {
  accepted: 1,
  planned: 1,
  read: 2,
  exported: 2,
  applied: 3,
  suspended: 3,
  resumed: 3,
  held: 3,
  released: 3,
  'retention-set': 3,
  'offsets-accepted': 3,
  removed: 4,
  discarded: 4,
  erased: 4,
  retired: 4,
};

const failed = new Set(['dead', 'rejected', 'failed', 'unavailable', 'throttled', 'unauthorized', 'unknown']);
const informational = { severity_id: 1, severity: 'Informational' };
const medium = { severity_id: 3, severity: 'Medium' };

/** One fact of the ledger as an OCSF event: what operators do as Entity Management, what the services do as API Activity. */
export function ocsfEvent(row: LedgerRow): Readonly<Record<string, unknown>> {
  const action = textOf(row.action) ?? '';
  const outcome = textOf(row.outcome) ?? '';
  const kind = row.stage === 'operator' ? classes.entityManagement : classes.apiActivity;
  const activity = activities[action] ?? other;
  const isFailure = failed.has(outcome);
  return {
    ...kind,
    activity_id: activity,
    activity_name: activityNames[activity] ?? action,
    type_uid: kind.class_uid * 100 + activity,
    ...(isFailure ? medium : informational),
    status_id: isFailure ? 2 : 1,
    status: isFailure ? 'Failure' : 'Success',
    ...present({ status_code: row.error_code, status_detail: outcome }),
    time: row.occurred_at,
    message: `${textOf(row.stage) ?? ''} ${action}: ${outcome}`,
    actor: actorOf(row),
    metadata: metadataOf(row),
    ...(kind === classes.entityManagement ? { entity: entityOf(row) } : apiOf(row, action)),
    raw_data_hash: { algorithm_id: 3, algorithm: 'SHA-256', value: leafHash(row).toString('hex') },
    unmapped: present({
      action,
      on_behalf_of: row.on_behalf_of,
      delivery_id: row.delivery_id,
      subscription_id: row.subscription_id,
      attempt: row.attempt,
      payload_digest: row.payload_digest,
      details: row.details,
      personal: row.personal,
      subject_index: row.subject_index,
    }),
  };
}

const actorOf = (row: LedgerRow) =>
  row.stage === 'operator' ? { user: { name: row.actor } } : { app_name: row.actor };

const metadataOf = (row: LedgerRow) => ({
  version: schemaVersion,
  product: { name: 'Tributary', vendor_name: 'Tributary' },
  uid: row.audit_id,
  log_name: topics.audit.name,
  logged_time: row.recorded_at,
  // Unique within the partition, and without gaps.
  sequence: row.audit_offset,
  log_provider: `partition ${String(row.audit_partition)}`,
  ...present({ tenant_uid: row.tenant, correlation_uid: row.trace_id, original_event_uid: row.event_id }),
});

function entityOf(row: LedgerRow) {
  const named = textOf(row.entity) ?? '';
  const colon = named.indexOf(':');
  return colon < 0 ? { name: named, type: 'other' } : { type: named.slice(0, colon), uid: named.slice(colon + 1) };
}

const apiOf = (row: LedgerRow, action: string) => ({
  api: { operation: textOf(row.operation) ?? action, service: { name: textOf(row.stage) ?? 'unknown' } },
  // Where it came from: a connection of a source, or the topic that the service read.
  src_endpoint: {
    name: textOf(row.source) ?? textOf(row.origin_topic) ?? 'tributary',
    ...present({ uid: row.connection_id }),
  },
  ...(row.destination !== null && { dst_endpoint: { name: row.destination } }),
  ...(row.event_id !== null && {
    resources: [{ uid: row.event_id, ...present({ type: row.event_type, namespace: row.event_source }) }],
  }),
});

const textOf = (value: LedgerRow[string] | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined;

const present = (values: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined));
