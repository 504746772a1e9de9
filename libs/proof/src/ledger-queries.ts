import { blockSize } from './block.js';
import type { Query } from './ports.js';

/** Offsets first..last, both included. */
export interface OffsetRange {
  readonly first: number;
  readonly last: number;
}

export interface PartitionBounds {
  readonly partition: number;
  /** Included. */
  readonly from: number;
  /** Not included. */
  readonly to: number;
}

export interface TopicBounds extends PartitionBounds {
  readonly topic: string;
}

const mostRanges = 200;

const topicBoundColumns = (bounds: readonly TopicBounds[]): unknown[] => [
  bounds.map((bound) => bound.topic),
  bounds.map((bound) => bound.partition),
  bounds.map((bound) => bound.from),
  bounds.map((bound) => bound.to),
];

/**
 * A condition of its own for each span, whose values go to the end of `values`. Joined with a list of spans, PostgreSQL cannot tell how few
 * rows they are, and reads the whole ledger.
 */
export function within(
  bounds: ReadonlyArray<PartitionBounds & { readonly topic?: string }>,
  columns: { readonly topic?: string; readonly partition: string; readonly offset: string },
  values: unknown[],
): string {
  const value = (one: unknown) => `$${values.push(one)}`;
  const spans = bounds.map(({ topic, partition, from, to }) => {
    const ofTopic = columns.topic ? `${columns.topic} = ${value(topic)} AND ` : '';
    const { partition: p, offset: o } = columns;
    return `(${ofTopic}${p} = ${value(partition)} AND ${o} >= ${value(from)} AND ${o} < ${value(to)})`;
  });
  return spans.length === 0 ? 'false' : `(${spans.join(' OR ')})`;
}

const ofOrigin = { partition: 'r.origin_partition', offset: 'r.origin_offset' };
const ofAudit = { partition: 'audit_partition', offset: 'audit_offset' };

export interface About {
  readonly topic: string;
  readonly action: string;
}

const without = (have: string, limit: string): string => `
  WITH have AS (${have}), bounded AS (SELECT o FROM have UNION ALL SELECT $2::bigint - 1 UNION ALL SELECT $3::bigint), gap AS (
    SELECT o, next FROM (SELECT o, lead(o) OVER (ORDER BY o) AS next FROM bounded) AS pairs WHERE next - o > 1)
  SELECT (o + 1)::text AS first, (next - 1)::text AS last, (sum(next - o - 1) OVER ())::text AS missing
  FROM gap ORDER BY o LIMIT ${limit}`;

const withoutRecord = without(
  `
  SELECT DISTINCT origin_offset AS o FROM ledger.audit_record
  WHERE origin_topic = $4 AND origin_partition = $1 AND action = $5 AND origin_offset >= $2 AND origin_offset < $3
  UNION SELECT o FROM unnest($6::bigint[]) AS o WHERE o >= $2 AND o < $3`,
  '$7',
);

const withoutRow = without(
  `
  SELECT DISTINCT audit_offset AS o FROM ledger.leaf
  WHERE audit_partition = $1 AND audit_offset >= $2 AND audit_offset < $3`,
  String(mostRanges),
);

export interface Missing {
  readonly count: number;
  /** The first of them. */
  readonly ranges: readonly OffsetRange[];
}

async function missing(query: Query, statement: string, values: readonly unknown[]): Promise<Missing> {
  const rows = await query<{ first: string; last: string; missing: string }>(statement, [...values]);
  return {
    count: Number(rows[0]?.missing ?? 0),
    ranges: rows.map(({ first, last }) => ({ first: Number(first), last: Number(last) })),
  };
}

/** Offsets of a topic partition about which the ledger has no record of this action. `except`: known to be elsewhere. */
export function offsetsWithout(
  query: Query,
  { topic, action }: About,
  { partition, from, to }: PartitionBounds,
  { except = [], most = mostRanges }: { readonly except?: readonly number[]; readonly most?: number } = {},
): Promise<Missing> {
  return missing(query, withoutRecord, [partition, from, to, topic, action, except, most]);
}

/** Offsets of an audit partition that have no row. */
export const auditOffsetsWithoutRow = (query: Query, { partition, from, to }: PartitionBounds): Promise<Missing> =>
  missing(query, withoutRow, [partition, from, to]);

/** How much of one kind there is in one block of a topic partition. */
export interface BlockCount {
  readonly topic: string;
  readonly partition: number;
  readonly block: number;
  readonly what: string;
  readonly count: number;
}

interface CountRow {
  readonly [column: string]: unknown;
  readonly topic: string;
  readonly partition: number;
  readonly block: string;
  readonly what: string;
  readonly count: string;
}

const countsOf = (rows: readonly CountRow[]): BlockCount[] =>
  rows.map((row) => ({ ...row, block: Number(row.block), count: Number(row.count) }));

/** Number of origins by their latest outcome; a redriven record counts once, as what it became last. */
export async function outcomeBlocks(
  query: Query,
  { topic, action }: About,
  bounds: readonly PartitionBounds[],
  tenant: string | undefined,
): Promise<BlockCount[]> {
  const values: unknown[] = [topic, action, tenant ?? null];
  const rows = await query<CountRow>(
    `SELECT $1 AS topic, partition, block::text, outcome AS what, count(*)::text AS count FROM (
       SELECT DISTINCT ON (r.origin_partition, r.origin_offset)
         r.origin_partition AS partition, r.origin_offset / ${blockSize} AS block, r.outcome
       FROM ledger.audit_record r
       WHERE r.origin_topic = $1 AND r.action = $2 AND ($3::text IS NULL OR r.tenant = $3) AND ${within(bounds, ofOrigin, values)}
       ORDER BY r.origin_partition, r.origin_offset, r.occurred_at DESC, r.audit_id
     ) AS latest GROUP BY partition, block, outcome`,
    values,
  );
  return countsOf(rows);
}

/** Only how many rows there are, retired ones too: the index tells. */
export async function auditRows(
  query: Query,
  topic: string,
  bounds: readonly PartitionBounds[],
): Promise<BlockCount[]> {
  const values: unknown[] = [topic];
  const rows = await query<CountRow>(
    `SELECT $1 AS topic, audit_partition AS partition, (audit_offset / ${blockSize})::text AS block, 'rows' AS what, count(*)::text AS count
     FROM ledger.leaf WHERE ${within(bounds, ofAudit, values)} GROUP BY 2, 3`,
    values,
  );
  return countsOf(rows);
}

/** Rows of the audit partitions, retired ones too, and of how many offsets: `rows` and `offsets`. */
export async function auditBlocks(
  query: Query,
  topic: string,
  bounds: readonly PartitionBounds[],
): Promise<BlockCount[]> {
  const values: unknown[] = [topic];
  const rows = await query<CountRow & { readonly offsets: string }>(
    `SELECT $1 AS topic, audit_partition AS partition, (audit_offset / ${blockSize})::text AS block, 'rows' AS what,
            count(*)::text AS count, count(DISTINCT audit_offset)::text AS offsets
     FROM ledger.leaf WHERE ${within(bounds, ofAudit, values)} GROUP BY 2, 3`,
    values,
  );
  return rows.flatMap((row) => countsOf([row, { ...row, what: 'offsets', count: row.offsets }]));
}

export interface NamedEvent {
  readonly eventSource: string;
  readonly eventId: string;
  readonly tenant: string;
  readonly partition: number;
  readonly offset: number;
}

/** Events that the normalizer says it made of this raw topic and that no router has a record of. */
export async function eventsNeverRouted(
  query: Query,
  rawTopic: string,
  bounds: readonly PartitionBounds[],
  atMost: number,
): Promise<NamedEvent[]> {
  const values: unknown[] = [rawTopic, atMost];
  const rows = await query<{ source: string; event_id: string; tenant: string; partition: number; origin: string }>(
    `WITH made AS (
       SELECT DISTINCT r.event_source AS source, ids.id AS event_id, r.tenant, r.origin_partition AS partition, r.origin_offset::text AS origin
       FROM ledger.audit_record r
       CROSS JOIN LATERAL (
         SELECT jsonb_array_elements_text((r.details ->> 'eventIds')::jsonb) AS id WHERE r.events > 1
         UNION ALL SELECT r.event_id WHERE r.events = 1
       ) AS ids
       WHERE r.origin_topic = $1 AND r.action = 'accepted' AND r.outcome = 'normalized' AND ${within(bounds, ofOrigin, values)}
     )
     SELECT * FROM made WHERE NOT EXISTS (
       SELECT 1 FROM ledger.audit_record p
       WHERE p.event_id = made.event_id AND p.event_source = made.source AND p.action = 'planned')
     ORDER BY source, event_id LIMIT $2`,
    values,
  );
  return rows.map(({ source, event_id, tenant, partition, origin }) => ({
    eventSource: source,
    eventId: event_id,
    tenant: tenant ?? '',
    partition,
    offset: Number(origin),
  }));
}

/** `$1` is the tenant, or null. */
const lastPlans = (bounds: readonly TopicBounds[], values: unknown[]): string => `
  planned AS (
    SELECT DISTINCT ON (d ->> 'deliveryId')
      d ->> 'deliveryId' AS delivery_id, d ->> 'destination' AS destination, d ->> 'connectionId' AS connection_id,
      r.tenant, r.event_id, r.occurred_at AS planned_at, r.origin_topic, r.origin_partition, r.origin_offset
    FROM ledger.audit_record r CROSS JOIN LATERAL jsonb_array_elements(r.deliveries) AS d
    WHERE r.action = 'planned' AND ($1::text IS NULL OR r.tenant = $1)
      AND ${within(bounds, { topic: 'r.origin_topic', ...ofOrigin }, values)}
    ORDER BY d ->> 'deliveryId', r.origin_topic DESC, r.origin_partition DESC, r.origin_offset DESC
  )`;

/**
 * All that is told of an event lies together, so one look-up for each event finds what would take one for each delivery. In the list of
 * columns, because there PostgreSQL hashes: it expects few rows here, and would join one by one.
 */
const toldOfEvents = `
  told AS MATERIALIZED (
    SELECT r.event_id, r.delivery_id, r.action, r.origin_topic, r.origin_partition, r.origin_offset
    FROM (SELECT DISTINCT event_id FROM planned) AS e JOIN ledger.audit_record r ON r.event_id = e.event_id
    WHERE r.action = 'planned' OR (r.action = 'settled' AND r.outcome = 'delivered')
  ), marked AS MATERIALIZED (
    SELECT planned.*,
      delivery_id IN (SELECT delivery_id FROM told WHERE action = 'settled') AS is_delivered,
      event_id IN (SELECT event_id FROM told WHERE action = 'planned' GROUP BY event_id
        HAVING count(DISTINCT (origin_topic, origin_partition, origin_offset)) > 1) AS was_planned_again
    FROM planned
  )`;

/** An operator's act may name the delivery alone, so what was not delivered is looked up by that as well. */
const standings = `
  acts AS (
    SELECT r.delivery_id, r.action, r.outcome, r.occurred_at,
           row_number() OVER (PARTITION BY r.delivery_id ORDER BY r.occurred_at DESC, (r.action = 'settled') DESC) AS recency,
           bool_or(r.outcome = 'delivered') OVER (PARTITION BY r.delivery_id) AS was_delivered
    FROM ledger.audit_record r
    WHERE r.delivery_id IN (SELECT delivery_id FROM marked WHERE NOT is_delivered) AND r.action IN ('settled', 'redriven', 'discarded')
  ), standing AS (
    SELECT marked.*, acts.occurred_at AS acted_at, CASE
      WHEN marked.is_delivered OR acts.was_delivered THEN 'delivered'
      WHEN acts.action = 'redriven' THEN 'redriven'
      WHEN acts.action = 'discarded' OR acts.outcome = 'discarded' THEN 'discarded'
      WHEN acts.outcome = 'dead' THEN 'dead'
      ELSE 'waiting' END AS state
    FROM marked LEFT JOIN acts ON acts.delivery_id = marked.delivery_id AND acts.recency = 1
  )`;

/**
 * Deliveries planned in the bounds, by destination and by how they stand: `<destination> <state>`. An event that was planned twice
 * counts where it was planned last, also when only one of the two places is looked at.
 */
export async function deliveryBlocks(
  query: Query,
  bounds: readonly TopicBounds[],
  all: readonly TopicBounds[],
  tenant: string | undefined,
): Promise<BlockCount[]> {
  const values: unknown[] = [tenant ?? null, ...topicBoundColumns(all)];
  const rows = await query<CountRow>(
    `WITH ${lastPlans(bounds, values)}, ${toldOfEvents}, ${standings}
     SELECT origin_topic AS topic, origin_partition AS partition, (origin_offset / ${blockSize})::text AS block,
            destination || ' ' || state AS what, count(*)::text AS count
     FROM standing s WHERE NOT was_planned_again OR NOT EXISTS (
       SELECT 1 FROM ledger.audit_record later
       JOIN unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[]) AS b (t, p, lo, hi)
         ON later.origin_topic = b.t AND later.origin_partition = b.p AND later.origin_offset >= b.lo AND later.origin_offset < b.hi
       WHERE later.event_id = s.event_id AND later.action = 'planned'
         AND (later.origin_topic, later.origin_partition, later.origin_offset) > (s.origin_topic, s.origin_partition, s.origin_offset)
         AND later.deliveries @> jsonb_build_array(jsonb_build_object('deliveryId', s.delivery_id)))
     GROUP BY 1, 2, 3, 4`,
    values,
  );
  return countsOf(rows);
}

export interface OpenDelivery {
  readonly deliveryId: string;
  readonly connectionId: string;
  readonly eventId: string;
  readonly tenant: string;
  readonly state: 'waiting' | 'redriven';
  readonly since: Date;
}

/** Deliveries that were planned in the bounds and have not ended, oldest first. */
export async function openDeliveries(
  query: Query,
  bounds: readonly TopicBounds[],
  { destination, tenant, atMost }: { destination: string; tenant: string | undefined; atMost: number },
): Promise<OpenDelivery[]> {
  const values: unknown[] = [tenant ?? null, destination, atMost];
  const rows = await query<{
    delivery_id: string;
    connection_id: string;
    event_id: string;
    tenant: string | null;
    state: 'waiting' | 'redriven';
    since: Date;
  }>(
    `WITH ${lastPlans(bounds, values)}, ${toldOfEvents}, ${standings}
     SELECT delivery_id, connection_id, event_id, tenant, state, coalesce(acted_at, planned_at) AS since FROM standing
     WHERE destination = $2 AND state IN ('waiting', 'redriven') ORDER BY since, delivery_id LIMIT $3`,
    values,
  );
  return rows.map((row) => ({
    deliveryId: row.delivery_id,
    connectionId: row.connection_id,
    eventId: row.event_id,
    tenant: row.tenant ?? '',
    state: row.state,
    since: row.since,
  }));
}

export interface UnplannedDelivery {
  readonly deliveryId: string;
  readonly partition: number;
  readonly offset: number;
}

/** Deliveries that were settled and that no router has planned. */
export async function settledButNeverPlanned(
  query: Query,
  topic: string,
  bounds: readonly PartitionBounds[],
  { tenant, atMost }: { tenant: string | undefined; atMost: number },
): Promise<UnplannedDelivery[]> {
  const values: unknown[] = [topic, atMost, tenant ?? null];
  const rows = await query<{ delivery_id: string; partition: number; origin: string }>(
    `SELECT DISTINCT ON (s.delivery_id) s.delivery_id, s.origin_partition AS partition, s.origin_offset::text AS origin
     FROM ledger.audit_record s
     WHERE s.origin_topic = $1 AND s.action = 'settled' AND ($3::text IS NULL OR s.tenant = $3)
       AND ${within(bounds, { partition: 's.origin_partition', offset: 's.origin_offset' }, values)} AND NOT EXISTS (
       SELECT 1 FROM ledger.audit_record p
       WHERE p.event_id = s.event_id AND p.event_source = s.event_source AND p.action = 'planned'
         AND p.deliveries @> jsonb_build_array(jsonb_build_object('deliveryId', s.delivery_id)))
     ORDER BY s.delivery_id LIMIT $2`,
    values,
  );
  return rows.map((row) => ({ deliveryId: row.delivery_id, partition: row.partition, offset: Number(row.origin) }));
}

export interface LastAttempt {
  readonly attempt: number;
  readonly outcome: string;
  readonly error: string;
  readonly at: Date;
}

/** What happened when these deliveries were attempted last. */
export async function lastAttempts(query: Query, deliveryIds: readonly string[]): Promise<Map<string, LastAttempt>> {
  if (deliveryIds.length === 0) return new Map();
  const rows = await query<{
    delivery_id: string;
    attempt: number;
    outcome: string;
    error_class: string | null;
    error_code: string | null;
    occurred_at: Date;
  }>(
    `SELECT DISTINCT ON (delivery_id) delivery_id, attempt, outcome, error_class, error_code, occurred_at
     FROM ledger.audit_record WHERE delivery_id = ANY($1::text[]) AND action = 'attempted'
     ORDER BY delivery_id, occurred_at DESC`,
    [deliveryIds],
  );
  return new Map(
    rows.map((row) => [
      row.delivery_id,
      {
        attempt: row.attempt,
        outcome: row.outcome,
        error: [row.error_class, row.error_code].filter(Boolean).join(' '),
        at: row.occurred_at,
      },
    ]),
  );
}

/** First and next offset that the ledger knows of each audit partition. */
export async function ledgerPositions(
  query: Query,
): Promise<Map<number, { readonly first: number; readonly next: number }>> {
  const rows = await query<{ audit_partition: number; first: string | null; next: string }>(
    `SELECT p.audit_partition, p.next_offset::text AS next,
            least((SELECT min(audit_offset) FROM ledger.audit_record r WHERE r.audit_partition = p.audit_partition),
                  (SELECT min(audit_offset) FROM ledger.retired_row r WHERE r.audit_partition = p.audit_partition))::text AS first
     FROM ledger.position p`,
  );
  return new Map(
    rows.map((row) => [row.audit_partition, { first: Number(row.first ?? row.next), next: Number(row.next) }]),
  );
}

/** Of these offsets, those that have a record of the action. */
export async function toldOffsets(
  query: Query,
  { topic, action }: About,
  places: readonly { readonly partition: number; readonly offset: number }[],
): Promise<Set<string>> {
  if (places.length === 0) return new Set();
  const rows = await query<{ place: string }>(
    `SELECT DISTINCT r.origin_partition || '/' || r.origin_offset AS place FROM ledger.audit_record r
     JOIN unnest($3::int[], $4::bigint[]) AS w (p, o) ON r.origin_partition = w.p AND r.origin_offset = w.o
     WHERE r.origin_topic = $1 AND r.action = $2`,
    [topic, action, places.map(({ partition }) => partition), places.map(({ offset }) => offset)],
  );
  return new Set(rows.map(({ place }) => place));
}

export interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Offsets that the ledger has something about that concerns the event. A raw record of several events names the first of them. */
export async function placesOf(query: Query, event: string): Promise<Place[]> {
  const rows = await query<{ topic: string; partition: number; origin: string }>(
    `SELECT DISTINCT origin_topic AS topic, origin_partition AS partition, origin_offset::text AS origin
     FROM ledger.audit_record
     WHERE origin_topic IS NOT NULL AND (event_id = $1 OR (
       event_id = regexp_replace($1, ':[0-9]+$', ':0') AND action = 'accepted' AND events > 1 AND (details ->> 'eventIds')::jsonb ? $1))`,
    [event],
  );
  return rows.map(({ topic, partition, origin }) => ({ topic, partition, offset: Number(origin) }));
}
