import type { Json, LedgerRow } from '@tributary/ledger';
import type { Database } from '../database.js';
import { type ColumnKind, hashedColumns } from './ledger-row.js';

/** Every column that is hashed, with its kind, in the order in which rows are written out. */
export const ledgerColumns: ReadonlyMap<string, ColumnKind | 'bytes'> = new Map(
  [...Object.entries(hashedColumns), ['personal', 'bytes'] as const, ['subject_index', 'bytes'] as const].sort(
    ([a], [b]) => (a < b ? -1 : 1),
  ),
);

export interface OffsetRange {
  readonly partition: number;
  /** Offsets [from, to). */
  readonly from: number;
  readonly to: number;
}

/** Epoch milliseconds; undefined: no limit on that side. */
export interface TimeWindow {
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

export interface StoredRow {
  readonly row: LedgerRow;
  /** The hash that was stored with it when it was written. */
  readonly leafHash: Buffer;
}

const rowsAtOnce = 2_000;

/** Reads rows of the ledger exactly as they were hashed, in the order of their offsets and a page at a time. */
export class LedgerRows {
  constructor(private readonly database: Pick<Database, 'query'>) {}

  /** The first and last offset of the rows that the broker got in the window; what lies between may be of another time. */
  async offsetsOf(partition: number, { fromMs, toMs }: TimeWindow): Promise<OffsetRange | undefined> {
    const [row] = await this.database.query<{ first: string | null; last: string | null }>(
      `SELECT min(audit_offset)::text AS first, max(audit_offset)::text AS last FROM ledger.audit_record
       WHERE audit_partition = $1 AND recorded_at >= $2::timestamptz AND recorded_at < $3::timestamptz`,
      [partition, timeText(fromMs, '-infinity'), timeText(toMs, 'infinity')],
    );
    if (!row?.first || !row.last) return undefined;
    return { partition, from: Number(row.first), to: Number(row.last) + 1 };
  }

  /** Two rows of one offset, if somebody made them, both come. */
  async *read({ partition, from, to }: OffsetRange, tenant?: string): AsyncGenerator<StoredRow, void> {
    let next = from;
    let page: StoredRow[];
    do {
      page = await this.page({ partition, from: next, to }, tenant);
      yield* page;
      next = Number(page.at(-1)?.row.audit_offset ?? to) + 1;
    } while (page.length >= rowsAtOnce && next < to);
  }

  private async page({ partition, from, to }: OffsetRange, tenant: string | undefined): Promise<StoredRow[]> {
    // The columns come out as text and would be sorted as such; with ties, so that no row of an offset that is there twice falls between two pages.
    const rows = await this.database.query<Record<string, unknown>>(
      `SELECT ${selected}, leaf_hash FROM ledger.audit_record
       WHERE audit_partition = $1 AND audit_offset >= $2 AND audit_offset < $3 AND ($4::text IS NULL OR tenant = $4)
       ORDER BY audit_record.audit_offset FETCH FIRST ${rowsAtOnce} ROWS WITH TIES`,
      [partition, from, to, tenant ?? null],
    );
    return rows.map((row) => ({ row: asHashed(row), leafHash: row.leaf_hash as Buffer }));
  }
}

const selections: Readonly<Record<ColumnKind | 'bytes', (column: string) => string>> = {
  // Whole milliseconds: a bigint, not a float that lost the last of them.
  timestamp: (column) => `(extract(epoch FROM ${column}) * 1000)::bigint::text AS ${column}`,
  bigint: (column) => `${column}::text AS ${column}`,
  int: (column) => column,
  text: (column) => column,
  json: (column) => column,
  bytes: (column) => column,
};
const selected = [...ledgerColumns].map(([column, kind]) => selections[kind](column)).join(', ');

const readings: Readonly<Record<ColumnKind | 'bytes', (value: unknown) => Json>> = {
  timestamp: Number,
  bigint: Number,
  int: (value) => value as number,
  text: (value) => value as string | null,
  json: (value) => value as Json,
  bytes: (value) => (value === null ? null : (value as Buffer).toString('base64')),
};

function asHashed(stored: Readonly<Record<string, unknown>>): LedgerRow {
  const row: Record<string, Json> = {};
  for (const [column, kind] of ledgerColumns) row[column] = readings[kind](stored[column]);
  return row;
}

const timeText = (moment: number | undefined, otherwise: string): string =>
  moment === undefined ? otherwise : new Date(moment).toISOString();
