import type { Database } from '@tributary/persistence';

export type Query = Database['query'];

/** Offsets first..last, both included. */
export interface OffsetRange {
  readonly first: number;
  readonly last: number;
}

const mostRanges = 200;

interface RangeRow {
  readonly first: string;
  readonly last: string;
}

const ranges = (rows: readonly RangeRow[]): OffsetRange[] =>
  rows.map(({ first, last }) => ({ first: Number(first), last: Number(last) }));

/** Offsets in [from, to) of a topic partition about which the ledger has no record of this action. */
export async function offsetsWithout(
  query: Query,
  about: { readonly topic: string; readonly partition: number; readonly action: string },
  from: number,
  to: number,
): Promise<OffsetRange[]> {
  if (to <= from) return [];
  const rows = await query<RangeRow & { [column: string]: unknown }>(
    `WITH have AS (
       SELECT DISTINCT origin_offset AS o FROM ledger.audit_record
       WHERE origin_topic = $1 AND origin_partition = $2 AND action = $3 AND origin_offset >= $4 AND origin_offset < $5
     ), bounded AS (SELECT o FROM have UNION ALL SELECT $4::bigint - 1 UNION ALL SELECT $5::bigint)
     SELECT (o + 1)::text AS first, (next - 1)::text AS last
     FROM (SELECT o, lead(o) OVER (ORDER BY o) AS next FROM bounded) AS gap
     WHERE next - o > 1 ORDER BY o LIMIT ${mostRanges}`,
    [about.topic, about.partition, about.action, from, to],
  );
  return ranges(rows);
}

/** How many offsets in [from, to) of a topic partition the ledger has no record of this action about. */
export async function countOffsetsWithout(
  query: Query,
  about: { readonly topic: string; readonly partition: number; readonly action: string },
  from: number,
  to: number,
): Promise<number> {
  if (to <= from) return 0;
  const rows = await query<{ count: string }>(
    `SELECT count(DISTINCT origin_offset)::text AS count FROM ledger.audit_record
     WHERE origin_topic = $1 AND origin_partition = $2 AND action = $3 AND origin_offset >= $4 AND origin_offset < $5`,
    [about.topic, about.partition, about.action, from, to],
  );
  return to - from - Number(rows[0]?.count ?? 0);
}

/** Offsets in [from, to) of an audit partition that have no row. */
export async function auditOffsetsWithoutRow(
  query: Query,
  partition: number,
  from: number,
  to: number,
): Promise<OffsetRange[]> {
  if (to <= from) return [];
  const rows = await query<RangeRow & { [column: string]: unknown }>(
    `WITH have AS (
       SELECT DISTINCT audit_offset AS o FROM ledger.audit_record
       WHERE audit_partition = $1 AND audit_offset >= $2 AND audit_offset < $3
     ), bounded AS (SELECT o FROM have UNION ALL SELECT $2::bigint - 1 UNION ALL SELECT $3::bigint)
     SELECT (o + 1)::text AS first, (next - 1)::text AS last
     FROM (SELECT o, lead(o) OVER (ORDER BY o) AS next FROM bounded) AS gap
     WHERE next - o > 1 ORDER BY o LIMIT ${mostRanges}`,
    [partition, from, to],
  );
  return ranges(rows);
}

/** Rows of an audit partition in [from, to). */
export async function auditRowCount(query: Query, partition: number, from: number, to: number): Promise<number> {
  const rows = await query<{ count: string }>(
    'SELECT count(*)::text AS count FROM ledger.audit_record WHERE audit_partition = $1 AND audit_offset >= $2 AND audit_offset < $3',
    [partition, from, to],
  );
  return Number(rows[0]?.count ?? 0);
}

/** Number of origins by their latest outcome; a redriven record counts once, as what it became last. */
export async function outcomesOf(
  query: Query,
  topic: string,
  action: string,
  bounds: readonly PartitionBounds[],
): Promise<Map<string, number>> {
  const rows = await query<{ outcome: string; count: string }>(
    `SELECT outcome, count(*)::text AS count FROM (
       SELECT DISTINCT ON (r.origin_partition, r.origin_offset) r.outcome
       FROM ledger.audit_record r
       JOIN unnest($3::int[], $4::bigint[], $5::bigint[]) AS b (p, lo, hi)
         ON r.origin_partition = b.p AND r.origin_offset >= b.lo AND r.origin_offset < b.hi
       WHERE r.origin_topic = $1 AND r.action = $2
       ORDER BY r.origin_partition, r.origin_offset, r.occurred_at DESC, r.audit_id
     ) AS latest GROUP BY outcome`,
    [topic, action, ...boundColumns(bounds)],
  );
  return new Map(rows.map(({ outcome, count }) => [outcome, Number(count)]));
}

export interface PartitionBounds {
  readonly partition: number;
  /** Included. */
  readonly from: number;
  /** Not included. */
  readonly to: number;
}

const boundColumns = (bounds: readonly PartitionBounds[]): unknown[] => [
  bounds.map((bound) => bound.partition),
  bounds.map((bound) => bound.from),
  bounds.map((bound) => bound.to),
];

export interface NamedEvent {
  readonly eventSource: string;
  readonly eventId: string;
  readonly origin: string;
}

/** Events that the normalizer says it made of this raw topic and that no router has a record of. */
export async function eventsNeverRouted(
  query: Query,
  rawTopic: string,
  bounds: readonly PartitionBounds[],
  atMost: number,
): Promise<NamedEvent[]> {
  const rows = await query<{ event_source: string; event_id: string; origin: string }>(
    `WITH made AS (
       SELECT DISTINCT r.event_source, ids.id AS event_id, r.origin_topic || ' ' || r.origin_partition || ':' || r.origin_offset AS origin
       FROM ledger.audit_record r
       JOIN unnest($2::int[], $3::bigint[], $4::bigint[]) AS b (p, lo, hi)
         ON r.origin_partition = b.p AND r.origin_offset >= b.lo AND r.origin_offset < b.hi
       CROSS JOIN LATERAL (
         SELECT jsonb_array_elements_text((r.details ->> 'eventIds')::jsonb) AS id WHERE r.events > 1
         UNION ALL SELECT r.event_id WHERE r.events = 1
       ) AS ids
       WHERE r.origin_topic = $1 AND r.action = 'accepted' AND r.outcome = 'normalized'
     )
     SELECT * FROM made WHERE NOT EXISTS (
       SELECT 1 FROM ledger.audit_record p
       WHERE p.event_id = made.event_id AND p.event_source = made.event_source AND p.action = 'planned')
     ORDER BY event_source, event_id LIMIT $5`,
    [rawTopic, ...boundColumns(bounds), atMost],
  );
  return rows.map((row) => ({ eventSource: row.event_source, eventId: row.event_id, origin: row.origin }));
}

export interface DeliveryState {
  readonly destination: string;
  readonly state: 'delivered' | 'dead' | 'discarded' | 'redriven' | 'waiting';
  readonly count: number;
}

/** Deliveries planned for events of these topics, by destination and by how they stand. */
const deliveryStates = `
  WITH planned AS (
    SELECT DISTINCT d ->> 'deliveryId' AS delivery_id, d ->> 'destination' AS destination
    FROM ledger.audit_record r
    JOIN unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS b (t, p, lo, hi)
      ON r.origin_topic = b.t AND r.origin_partition = b.p AND r.origin_offset >= b.lo AND r.origin_offset < b.hi
    CROSS JOIN LATERAL jsonb_array_elements(r.deliveries) AS d
    WHERE r.action = 'planned'
  ), acts AS (
    SELECT r.delivery_id, r.action, r.outcome,
           row_number() OVER (PARTITION BY r.delivery_id ORDER BY r.occurred_at DESC, (r.action = 'settled') DESC) AS recency,
           bool_or(r.outcome = 'delivered') OVER (PARTITION BY r.delivery_id) AS was_delivered
    FROM ledger.audit_record r
    WHERE r.delivery_id IN (SELECT delivery_id FROM planned) AND r.action IN ('settled', 'redriven', 'discarded')
  ), standing AS (
    SELECT planned.*, CASE
      WHEN acts.was_delivered THEN 'delivered'
      WHEN acts.action = 'redriven' THEN 'redriven'
      WHEN acts.action = 'discarded' OR acts.outcome = 'discarded' THEN 'discarded'
      WHEN acts.outcome = 'dead' THEN 'dead'
      ELSE 'waiting' END AS state
    FROM planned LEFT JOIN acts ON acts.delivery_id = planned.delivery_id AND acts.recency = 1
  )`;

export interface TopicBounds extends PartitionBounds {
  readonly topic: string;
}

const topicBoundColumns = (bounds: readonly TopicBounds[]): unknown[] => [
  bounds.map((bound) => bound.topic),
  ...boundColumns(bounds),
];

export async function deliveriesByState(query: Query, bounds: readonly TopicBounds[]): Promise<DeliveryState[]> {
  const rows = await query<{ destination: string; state: DeliveryState['state']; count: string }>(
    `${deliveryStates} SELECT destination, state, count(*)::text AS count FROM standing GROUP BY destination, state`,
    topicBoundColumns(bounds),
  );
  return rows.map((row) => ({ ...row, count: Number(row.count) }));
}

export async function unsettledDeliveries(
  query: Query,
  bounds: readonly TopicBounds[],
  destination: string,
  atMost: number,
): Promise<string[]> {
  const rows = await query<{ delivery_id: string }>(
    `${deliveryStates} SELECT delivery_id FROM standing WHERE destination = $5 AND state = 'waiting' ORDER BY delivery_id LIMIT $6`,
    [...topicBoundColumns(bounds), destination, atMost],
  );
  return rows.map((row) => row.delivery_id);
}

/** Deliveries that were settled and that no router has planned. */
export async function settledButNeverPlanned(
  query: Query,
  topic: string,
  bounds: readonly PartitionBounds[],
  atMost: number,
): Promise<string[]> {
  const rows = await query<{ delivery_id: string }>(
    `SELECT DISTINCT s.delivery_id FROM ledger.audit_record s
     JOIN unnest($2::int[], $3::bigint[], $4::bigint[]) AS b (p, lo, hi)
       ON s.origin_partition = b.p AND s.origin_offset >= b.lo AND s.origin_offset < b.hi
     WHERE s.origin_topic = $1 AND s.action = 'settled' AND NOT EXISTS (
       SELECT 1 FROM ledger.audit_record p
       WHERE p.event_id = s.event_id AND p.event_source = s.event_source AND p.action = 'planned'
         AND p.deliveries @> jsonb_build_array(jsonb_build_object('deliveryId', s.delivery_id)))
     ORDER BY 1 LIMIT $5`,
    [topic, ...boundColumns(bounds), atMost],
  );
  return rows.map((row) => row.delivery_id);
}

/** First and next offset that the ledger knows of each audit partition. */
export async function ledgerPositions(
  query: Query,
): Promise<Map<number, { readonly first: number; readonly next: number }>> {
  const rows = await query<{ audit_partition: number; first: string | null; next: string }>(
    `SELECT p.audit_partition, p.next_offset::text AS next,
            (SELECT min(audit_offset)::text FROM ledger.audit_record r WHERE r.audit_partition = p.audit_partition) AS first
     FROM ledger.position p`,
  );
  return new Map(
    rows.map((row) => [row.audit_partition, { first: Number(row.first ?? row.next), next: Number(row.next) }]),
  );
}
