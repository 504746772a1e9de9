import type { Database } from './database.js';
import { forRecords } from './database-errors.js';
import { indexable } from './indexable.js';

/** A delivery that is about to be sent. */
export interface DeliveryClaim {
  readonly deliveryId: string;
  /** Why it is sent: empty, or the redrive by which a person wants it sent again. */
  readonly round: string;
}

export type DeliveryClaimState =
  /** Claimed now: send it. */
  | { readonly kind: 'fresh' }
  /** Claimed earlier in this round, and nothing is known about what came of it. */
  | { readonly kind: 'in-doubt'; readonly ageMs: number }
  /** It had its effect. */
  | { readonly kind: 'delivered'; readonly receipt: string | undefined }
  /** It was given up in this round, because nobody knows whether it had its effect. */
  | { readonly kind: 'dropped' };

/** `released`: the attempt surely had no effect, or somebody decided that it is made again. */
export interface DeliveryClaimResult {
  readonly deliveryId: string;
  readonly result: 'delivered' | 'dropped' | 'released';
  readonly receipt?: string | undefined;
}

// Another round is a person's decision: it may go out again, unless it turns out that it arrived.
const insertClaims = `
  INSERT INTO delivery.claim AS known (delivery_id, round)
  SELECT DISTINCT ON (delivery_id) delivery_id, round
  FROM unnest($1::text[], $2::text[]) AS wanted (delivery_id, round)
  ORDER BY delivery_id
  ON CONFLICT (delivery_id) DO UPDATE SET round = excluded.round, result = NULL, receipt = NULL, claimed_at = now()
    WHERE known.round <> excluded.round AND known.result IS DISTINCT FROM 'delivered'
  RETURNING delivery_id`;

const readClaims = `
  SELECT delivery_id, result, receipt, (extract(epoch FROM now() - claimed_at) * 1000)::float8 AS age_ms
  FROM delivery.claim WHERE delivery_id = ANY ($1::text[])`;

const keepResults = `
  UPDATE delivery.claim SET result = known.result, receipt = known.receipt
  FROM unnest($1::text[], $2::text[], $3::text[]) AS known (delivery_id, result, receipt)
  WHERE claim.delivery_id = known.delivery_id`;

const releaseClaims = `DELETE FROM delivery.claim WHERE delivery_id = ANY ($1::text[]) AND result IS DISTINCT FROM 'delivered'`;

interface ClaimRow {
  readonly delivery_id: string;
  readonly result: 'delivered' | 'dropped' | null;
  readonly receipt: string | null;
  readonly age_ms: number;
}

/**
 * The connectors' memory of what they are about to send to destinations that do not drop repeats. A claim without a result, found
 * again after a crash, tells of an attempt that may have had its effect.
 */
export class DeliveryClaims {
  constructor(private readonly database: Pick<Database, 'query'>) {}

  /** States in the order of the claims. */
  async claim(claims: readonly DeliveryClaim[]): Promise<DeliveryClaimState[]> {
    try {
      const ids = claims.map(({ deliveryId }) => indexable(deliveryId));
      const columns = [ids, claims.map(({ round }) => indexable(round))];
      const mine = await this.database.query<ClaimRow>(insertClaims, columns, 'delivery-claim');
      const fresh = new Set(mine.map(({ delivery_id }) => delivery_id));
      const others = ids.filter((id) => !fresh.has(id));
      const found = others.length > 0 ? await this.database.query<ClaimRow>(readClaims, [others], 'delivery-read') : [];
      const known = new Map(found.map((row) => [row.delivery_id, row]));
      return ids.map((id) => stateOf(fresh.delete(id), known.get(id)));
    } catch (error) {
      throw forRecords(error);
    }
  }

  async settle(results: readonly DeliveryClaimResult[]): Promise<void> {
    const kept = results.filter(({ result }) => result !== 'released');
    const released = results
      .filter(({ result }) => result === 'released')
      .map(({ deliveryId }) => indexable(deliveryId));
    try {
      if (kept.length > 0) await this.database.query(keepResults, columnsOf(kept), 'delivery-settle');
      if (released.length > 0) await this.database.query(releaseClaims, [released], 'delivery-release');
    } catch (error) {
      throw forRecords(error);
    }
  }

  /** Forgets claims older than the given number of days, a bounded number at a time. Returns how many went. */
  async forget(olderThanDays: number, atMost: number): Promise<number> {
    const rows = await this.database.query<{ count: string }>(
      `WITH old AS (
         SELECT delivery_id FROM delivery.claim
         WHERE claimed_at < now() - make_interval(days => $1) LIMIT $2 FOR UPDATE SKIP LOCKED
       ), gone AS (
         DELETE FROM delivery.claim USING old WHERE claim.delivery_id = old.delivery_id RETURNING 1
       ) SELECT count(*)::text AS count FROM gone`,
      [olderThanDays, atMost],
    );
    return Number(rows[0]?.count ?? 0);
  }
}

function stateOf(isFresh: boolean, row: ClaimRow | undefined): DeliveryClaimState {
  if (isFresh) return { kind: 'fresh' };
  // Twice in one batch, or released between two statements: somebody else has it at this moment.
  if (!row) return { kind: 'in-doubt', ageMs: 0 };
  if (row.result === 'delivered') return { kind: 'delivered', receipt: row.receipt ?? undefined };
  return row.result === 'dropped' ? { kind: 'dropped' } : { kind: 'in-doubt', ageMs: row.age_ms };
}

const columnsOf = (results: readonly DeliveryClaimResult[]): unknown[] => [
  results.map(({ deliveryId }) => indexable(deliveryId)),
  results.map(({ result }) => result),
  results.map(({ receipt }) => receipt?.replaceAll('\0', '').toWellFormed() ?? null),
];
