import type { Coordinates } from '@tributary/domain';
import type { Database } from './database.js';
import { forRecords } from './database-errors.js';
import { indexable } from './indexable.js';

/** An event that a raw record claims to be the first to bring. */
export interface Claim {
  readonly eventSource: string;
  readonly eventId: string;
  readonly raw: Coordinates;
}

/** `own`: this raw record is the one that brings the event, now or since before a crash. `duplicate`: another is. */
export type ClaimVerdict = 'own' | 'duplicate';

const insertClaims = `
  INSERT INTO inbox.claim (event_source, event_id, raw_topic, raw_partition, raw_offset)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[]) AS wanted (event_source, event_id, t, p, o)
  ORDER BY 1, 2
  ON CONFLICT DO NOTHING
  RETURNING event_source, event_id, raw_topic, raw_partition, raw_offset::text`;

const readClaims = `
  SELECT claim.event_source, claim.event_id, raw_topic, raw_partition, raw_offset::text
  FROM inbox.claim
  JOIN unnest($1::text[], $2::text[]) AS wanted (event_source, event_id) USING (event_source, event_id)`;

interface ClaimRow {
  readonly event_source: string;
  readonly event_id: string;
  readonly raw_topic: string;
  readonly raw_partition: number;
  readonly raw_offset: string;
}

/**
 * The normalizer's memory of events. A claim remembers the coordinates of the raw record that made it, so a record that
 * comes again after a crash recognises its own claim and is not taken for a duplicate of itself.
 */
export class Inbox {
  constructor(private readonly database: Pick<Database, 'query'>) {}

  /** Verdicts in the order of the claims. */
  async claim(claims: readonly Claim[]): Promise<ClaimVerdict[]> {
    const keyed = claims.map(withKeys);
    const owners = await this.ownersOf(keyed).catch((error: unknown) => {
      throw forRecords(error);
    });
    return keyed.map((claim) => {
      const owner = owners.get(identity(claim.eventSource, claim.eventId));
      return owner === coordinates(claim.raw) ? 'own' : 'duplicate';
    });
  }

  private async ownersOf(claims: readonly Claim[]): Promise<Map<string, string>> {
    const owners = new Map<string, string>();
    remember(owners, await this.database.query<ClaimRow>(insertClaims, columnsOf(claims), 'inbox-insert'));
    const missing = claims.filter((claim) => !owners.has(identity(claim.eventSource, claim.eventId)));
    if (missing.length > 0) {
      const wanted = [missing.map((claim) => claim.eventSource), missing.map((claim) => claim.eventId)];
      remember(owners, await this.database.query<ClaimRow>(readClaims, wanted, 'inbox-read'));
    }
    return owners;
  }

  /** Forgets claims older than the given number of days, a bounded number at a time. Returns how many went. */
  async forget(olderThanDays: number, atMost: number): Promise<number> {
    const rows = await this.database.query<{ count: string }>(
      `WITH old AS (
         SELECT event_source, event_id FROM inbox.claim
         WHERE claimed_at < now() - make_interval(days => $1) LIMIT $2 FOR UPDATE SKIP LOCKED
       ), gone AS (
         DELETE FROM inbox.claim USING old
         WHERE claim.event_source = old.event_source AND claim.event_id = old.event_id RETURNING 1
       ) SELECT count(*)::text AS count FROM gone`,
      [olderThanDays, atMost],
    );
    return Number(rows[0]?.count ?? 0);
  }
}

const withKeys = (claim: Claim): Claim => ({
  ...claim,
  eventSource: indexable(claim.eventSource),
  eventId: indexable(claim.eventId),
});

function columnsOf(claims: readonly Claim[]): unknown[] {
  return [
    claims.map((claim) => claim.eventSource),
    claims.map((claim) => claim.eventId),
    claims.map((claim) => claim.raw.topic),
    claims.map((claim) => claim.raw.partition),
    claims.map((claim) => String(claim.raw.offset)),
  ];
}

function remember(owners: Map<string, string>, rows: readonly ClaimRow[]): void {
  for (const row of rows) {
    const at = coordinates({ topic: row.raw_topic, partition: row.raw_partition, offset: BigInt(row.raw_offset) });
    owners.set(identity(row.event_source, row.event_id), at);
  }
}

// NUL cannot occur in PostgreSQL text, so it separates without doubt.
const identity = (source: string, id: string): string => `${source}\0${id}`;
const coordinates = ({ topic, partition, offset }: Coordinates): string => `${topic}/${partition}/${offset}`;
