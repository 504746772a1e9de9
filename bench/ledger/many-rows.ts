import type { Database } from '@tributary/persistence';

/** Rows that the audit-logger's own writer made; the others are copies of them about other people, events and times. */
export const seedRows = 100_000;

const columns = `recorded_at, occurred_at, audit_offset, origin_offset, duration_ms, audit_partition, origin_partition, attempt, events,
  is_repeat, leaf_hash, audit_id, stage, action, outcome, actor, on_behalf_of, tenant, source, connection_id, event_source,
  event_id, event_type, entity, delivery_id, subscription_id, destination, operation, origin_topic, error_class, error_code,
  payload_digest, trace_id, subject_index, personal, deliveries, skipped, details`;

/** One copy of the seed: as many bytes, as many different values, a while earlier. The server does it, so memory stays. */
const copySeed = `
  INSERT INTO ledger.audit_record (${columns})
  SELECT recorded_at - $1 * interval '7 hours', occurred_at - $1 * interval '7 hours',
    audit_offset + $1 * 10000000::bigint, origin_offset + $1 * 10000000::bigint, duration_ms, audit_partition, origin_partition,
    attempt, events, is_repeat, sha256(leaf_hash || $2::bytea), encode(sha256(convert_to(audit_id || $1, 'UTF8')), 'hex'),
    stage, action, outcome, actor, on_behalf_of, tenant, source, connection_id, event_source,
    left(encode(sha256(convert_to(event_id || $1, 'UTF8')), 'hex'), 36), event_type, entity || $1,
    encode(sha256(convert_to(delivery_id || $1, 'UTF8')), 'hex'), subscription_id, destination, operation, origin_topic,
    error_class, error_code, payload_digest, trace_id, substr(sha256(subject_index || $2::bytea), 1, 16), personal, deliveries,
    skipped, details
  FROM bench.seed`;

export const countRows = async (database: Database): Promise<number> => {
  const [row] = await database.query<{ copies: number }>(
    'SELECT coalesce(max(copies), -1) AS copies FROM bench.progress',
  );
  return ((row?.copies ?? -1) + 1) * seedRows;
};

export async function prepareSeed(database: Database): Promise<void> {
  await database.query('CREATE SCHEMA bench');
  await database.query('CREATE TABLE bench.seed AS SELECT * FROM ledger.audit_record');
  await database.query('CREATE TABLE bench.progress (copies int)');
  await database.query('INSERT INTO bench.progress VALUES (0)');
}

/** Copies until there are so many rows, or the time is up. @returns how many there are. */
export async function copyUntil(
  database: Database,
  rows: number,
  untilMs: number,
  say: (line: string) => void,
): Promise<number> {
  let count = await countRows(database);
  for (const month of monthsOf(count, rows))
    await database.query('SELECT ledger.ensure_month($1::timestamptz)', [month]);
  while (count < rows && Date.now() < untilMs) {
    const copy = count / seedRows;
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(copy);
    await database.transaction(async (query) => {
      await query('SET LOCAL synchronous_commit = off');
      await query(copySeed, [copy, bytes]);
      await query('UPDATE bench.progress SET copies = $1', [copy]);
      await query(
        `INSERT INTO ledger.destination_month AS known
         SELECT date_trunc('month', recorded_at - $1 * interval '7 hours')::date, audit_partition, coalesce(tenant, ''), destination,
           count(*) FILTER (WHERE outcome = 'delivered'), count(*) FILTER (WHERE outcome = 'dead'),
           count(*) FILTER (WHERE outcome = 'discarded'), count(*) FILTER (WHERE action = 'attempted'), sum(duration_ms), 0
         FROM bench.seed WHERE destination IS NOT NULL AND action IN ('settled', 'attempted') GROUP BY 1, 2, 3, 4
         ON CONFLICT (month, tenant, destination, audit_partition) DO UPDATE
         SET delivered = known.delivered + EXCLUDED.delivered, dead = known.dead + EXCLUDED.dead,
           failed_attempts = known.failed_attempts + EXCLUDED.failed_attempts, duration_ms = known.duration_ms + EXCLUDED.duration_ms`,
        [copy],
      );
    });
    count += seedRows;
    if (copy % 5 === 0) say(`${count} rows`);
  }
  return count;
}

function monthsOf(count: number, rows: number): string[] {
  const hours = (Math.max(count, rows) / seedRows) * 7;
  const first = Date.now() - (hours + 24) * 3_600_000;
  const months: string[] = [];
  for (let ms = first; ms < Date.now() + 86_400_000; ms += 86_400_000) months.push(new Date(ms).toISOString());
  return months;
}
