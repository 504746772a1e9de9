import type { Database } from './database.js';

export type DeadLetterActKind = 'redriven' | 'discarded';

export interface DeadLetterAct {
  readonly deadLetter: string;
  readonly act: DeadLetterActKind;
  /** Of a redrive: the id that the redriven record carries. */
  readonly actId: string;
  readonly actor: string;
  readonly reason: string;
  readonly begunAt: Date;
  /** Null: it was begun, and its end is not known. */
  readonly doneAt: Date | null;
}

export type NewDeadLetterAct = Omit<DeadLetterAct, 'begunAt' | 'doneAt'>;

export type ClaimedAct =
  /** `actId` may be that of an earlier try, whose end nobody knows: the same act is finished, not a second one made. */
  { readonly isOurs: true; readonly actId: string } | { readonly isOurs: false; readonly by: DeadLetterAct };

/** How long an act that was begun belongs to the process that began it. */
export const actBelongsForMs = 60_000;

const claimAct = `
  INSERT INTO operations.dead_letter_act AS known (dead_letter, act, act_id, actor, reason)
  VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (dead_letter) DO UPDATE
    SET begun_at = now(), actor = excluded.actor, reason = excluded.reason
    WHERE known.done_at IS NULL AND known.act = excluded.act AND known.begun_at < now() - make_interval(secs => $6)
  RETURNING act_id`;

const columns = 'dead_letter, act, act_id, actor, reason, begun_at, done_at';

/** Dealt with from the first offset on without a gap, the nth act is that of the nth offset: where that ends, the open ones begin. */
const openIn = `
  WITH bound AS (SELECT * FROM unnest($2::int[], $3::bigint[], $4::bigint[]) AS b (part, lo, hi)),
  done AS (
    SELECT b.part, b.lo, a.at, row_number() OVER (PARTITION BY b.part ORDER BY a.at) AS nth
    FROM (
      SELECT substring(dead_letter from '/([0-9]{1,9})/[0-9]{1,15}$')::int AS part,
             substring(dead_letter from '/([0-9]{1,15})$')::bigint AS at
      FROM operations.dead_letter_act WHERE done_at IS NOT NULL AND starts_with(dead_letter, $1 || '/')
    ) AS a JOIN bound b ON b.part = a.part AND a.at >= b.lo AND a.at < b.hi)
  SELECT b.part, (b.hi - b.lo - count(d.at))::text AS open,
         (b.lo + count(d.at) FILTER (WHERE d.at - d.lo = d.nth - 1))::text AS first
  FROM bound b LEFT JOIN done d ON d.part = b.part GROUP BY b.part, b.lo, b.hi ORDER BY b.part`;

/** What a partition of a dead-letter topic holds, and how much of it is open. */
export interface OpenDeadLetters {
  readonly partition: number;
  readonly open: number;
  /** Offset of the first one that is open; undefined: none is. */
  readonly firstOpen: number | undefined;
}

export interface PartitionRange {
  readonly partition: number;
  readonly from: number;
  /** Not included. */
  readonly to: number;
}

interface ActRow {
  readonly dead_letter: string;
  readonly act: DeadLetterActKind;
  readonly act_id: string;
  readonly actor: string;
  readonly reason: string;
  readonly begun_at: Date;
  readonly done_at: Date | null;
}

/** What was done to dead letters, once each, over all processes. */
export class DeadLetterActs {
  constructor(private readonly database: Pick<Database, 'query'>) {}

  /** Begins an act. Of several who try at the same time one may go on; one that was left unfinished may be taken up again. */
  async claim(wanted: NewDeadLetterAct, belongsForMs = actBelongsForMs): Promise<ClaimedAct> {
    const { deadLetter, act, actId, actor, reason } = wanted;
    // Between the two statements an act that was given up may vanish: then it is free.
    for (;;) {
      const [row] = await this.database.query<{ act_id: string }>(claimAct, [
        deadLetter,
        act,
        actId,
        actor,
        reason,
        belongsForMs / 1000,
      ]);
      if (row) return { isOurs: true, actId: row.act_id };
      const by = (await this.of([deadLetter])).get(deadLetter);
      if (by) return { isOurs: false, by };
    }
  }

  async finish(deadLetter: string, actId: string): Promise<void> {
    await this.database.query(
      'UPDATE operations.dead_letter_act SET done_at = now() WHERE dead_letter = $1 AND act_id = $2',
      [deadLetter, actId],
    );
  }

  /** It certainly had no effect: the dead letter is open again. */
  async giveUp(deadLetter: string, actId: string): Promise<void> {
    await this.database.query(
      'DELETE FROM operations.dead_letter_act WHERE dead_letter = $1 AND act_id = $2 AND done_at IS NULL',
      [deadLetter, actId],
    );
  }

  /** How many of what the topic holds nobody has dealt with to the end, and where they begin. */
  async openIn(topic: string, ranges: readonly PartitionRange[]): Promise<OpenDeadLetters[]> {
    const rows = await this.database.query<{ part: number; open: string; first: string }>(openIn, [
      topic,
      ranges.map(({ partition }) => partition),
      ranges.map(({ from }) => from),
      ranges.map(({ to }) => to),
    ]);
    return rows.map(({ part, open, first }) => ({
      partition: part,
      open: Number(open),
      firstOpen: Number(open) > 0 ? Number(first) : undefined,
    }));
  }

  /** Acts by dead letter; those that are missing are open. */
  async of(deadLetters: readonly string[]): Promise<Map<string, DeadLetterAct>> {
    const rows = await this.database.query<ActRow>(
      `SELECT ${columns} FROM operations.dead_letter_act WHERE dead_letter = ANY($1::text[])`,
      [deadLetters],
    );
    return new Map(rows.map((row) => [row.dead_letter, actOf(row)]));
  }
}

const actOf = (row: ActRow): DeadLetterAct => ({
  deadLetter: row.dead_letter,
  act: row.act,
  actId: row.act_id,
  actor: row.actor,
  reason: row.reason,
  begunAt: row.begun_at,
  doneAt: row.done_at,
});
