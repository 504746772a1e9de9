import type { Database } from '../database.js';
import { forRecords } from '../database-errors.js';
import type { DataKey, NamedSubject } from '../personal/data-keys.js';
import { dataSubjectOf, nameOf, type SplitRecord, splitRecord } from '../personal/personal-fields.js';
import { CopyBuffer } from './copy-buffer.js';
import { findRepeats } from './find-repeats.js';
import { copiedColumns, type LedgerEntry, prepareRow, writeRow } from './ledger-row.js';
import { addSums, monthSumsOf, sumColumns } from './month-sums.js';
import { type PersonalColumns, personalColumns } from './personal-columns.js';
import { copyChunks, factOf, PreparedBatch, type RowFact } from './prepared-batch.js';
import { ToldOrigins } from './told-origins.js';

export interface LedgerPorts {
  readonly database: Pick<Database, 'query' | 'transaction'>;
  readonly dataKeys: { forWriting(subjects: readonly NamedSubject[]): Promise<DataKey[]> };
}

type Query = Database['query'];

/** Into the month itself: into the table, whose rows are guarded, only its owner may copy. */
const copyRowsOf = (month: string): string =>
  `COPY ledger.audit_record_${month.replace('-', '_')} (${copiedColumns.join(', ')}) FROM STDIN (FORMAT binary)`;

const advancePositions = `
  UPDATE ledger.position SET next_offset = wanted.next, updated_at = now()
  FROM unnest($1::int[], $2::bigint[]) AS wanted (partition, next) WHERE audit_partition = wanted.partition`;

/** Writes the ledger. Writing the same entry again changes nothing. */
export class Ledger {
  private readonly months = new Set<string>();
  private readonly told = new ToldOrigins();
  /** Where this writer left each partition. */
  private readonly leftAt = new Map<number, number>();

  constructor(private readonly ports: LedgerPorts) {}

  /**
   * Writes a batch in one transaction; durable when it returns.
   * @throws RowRefused when the values of some entry cannot be kept; nothing of the batch was written then.
   */
  async write(entries: readonly LedgerEntry[]): Promise<void> {
    await this.writePrepared([await this.prepareRows(entries)]);
  }

  /** What of `write` needs no ledger: encrypts and hashes, so that it can be done while another batch is written. */
  async prepareRows(entries: readonly LedgerEntry[]): Promise<PreparedBatch> {
    try {
      const splits = entries.map(({ record }) => splitRecord(record));
      const columns = await this.columnsOf(entries, splits);
      const rows = new CopyBuffer();
      // Row by row: what was made for one is garbage before the next.
      const facts = entries.map((entry, i) => {
        const start = rows.length;
        writeRow(rows, prepareRow(entry, splits[i] as SplitRecord, columns[i]));
        return factOf(entry, start, rows.length);
      });
      return new PreparedBatch(rows, facts);
    } catch (error) {
      throw forRecords(error);
    }
  }

  /** Written, they cannot be written again; otherwise they can. @throws as `write`. */
  async writePrepared(batches: readonly PreparedBatch[]): Promise<void> {
    await this.writeFacts(batches);
    for (const batch of batches) batch.release();
  }

  private async writeFacts(batches: readonly PreparedBatch[]): Promise<void> {
    const all = batches.flatMap((batch) => batch.facts);
    const facts = withoutDoubles(all);
    if (facts.length === 0) return;
    try {
      const months = byMonth(facts);
      for (const month of months.keys()) await this.ensureMonth(month);
      await this.ports.database.transaction(async (query, copyIn) => {
        const known = await lockPositions(query, facts);
        for (const [partition, next] of known) if (this.leftAt.get(partition) !== next) this.told.forget(partition);
        const fresh = await withoutWritten(query, facts, known);
        if (fresh.length === 0) return;
        const repeats = await findRepeats(query, fresh, this.told);
        const isAll = fresh === all && months.size === 1;
        for (const [month, ofMonth] of fresh === facts ? months : byMonth(fresh))
          await copyIn(copyRowsOf(month), copyChunks(batches, isAll ? 'all' : new Set(ofMonth), repeats));
        const sums = monthSumsOf(fresh.filter((fact) => !repeats.has(fact)));
        if (sums.length > 0) await query(addSums, sumColumns(sums), 'ledger-sums');
        const next = nextOffsets(fresh, known);
        await query(advancePositions, [[...next.keys()], [...next.values()].map(String)], 'ledger-position');
        for (const [partition, offset] of next) this.leftAt.set(partition, offset);
      });
    } catch (error) {
      for (const { partition } of facts) this.told.forget(partition);
      // One of them may have been retired: the next try makes it again.
      this.months.clear();
      throw forRecords(error);
    }
  }

  private async columnsOf(
    entries: readonly LedgerEntry[],
    splits: readonly SplitRecord[],
  ): Promise<Array<PersonalColumns | undefined>> {
    const subjects = entries.filter((_, i) => splits[i]?.personal).map(subjectOf);
    const keys = await this.ports.dataKeys.forWriting(subjects);
    let n = 0;
    return splits.map(({ personal }, i) => {
      if (!personal) return undefined;
      const key = keys[n++] as DataKey;
      const isErased = (entries[i] as LedgerEntry).timestampMs <= key.erasedUntilMs;
      return personalColumns(key, isErased ? undefined : personal);
    });
  }

  /** Creates the partition of this month and of the next, ahead of need. */
  async prepare(nowMs: number): Promise<void> {
    const now = new Date(nowMs);
    await this.ensureMonth(monthOf(now));
    await this.ensureMonth(monthOf(new Date(monthAfter(now))));
  }

  private async ensureMonth(month: string): Promise<void> {
    if (this.months.has(month)) return;
    await this.ports.database.query('SELECT ledger.ensure_month($1::timestamptz)', [`${month}-01T00:00:00Z`]);
    this.months.add(month);
  }
}

/** Nearly always one month. */
function byMonth(facts: readonly RowFact[]): Map<string, RowFact[]> {
  const months = new Map<string, RowFact[]>();
  let [fromMs, toMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let current: RowFact[] = [];
  for (const fact of facts) {
    if (fact.timestampMs < fromMs || fact.timestampMs >= toMs) {
      const date = new Date(fact.timestampMs);
      [fromMs, toMs] = [Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1), monthAfter(date)];
      const month = monthOf(date);
      current = months.get(month) ?? [];
      months.set(month, current);
    }
    current.push(fact);
  }
  return months;
}

/** As `2026-01`. */
const monthOf = (date: Date): string => date.toISOString().slice(0, 7);

const monthAfter = (date: Date): number => Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);

/** The same record may come twice in a batch, when its partition was given back and taken again. */
function withoutDoubles(facts: readonly RowFact[]): readonly RowFact[] {
  const last = new Map<number, number>();
  for (const { partition, offset } of facts) {
    if (offset <= (last.get(partition) ?? -1)) return [...new Map(facts.map((one) => [positionOf(one), one])).values()];
    last.set(partition, offset);
  }
  return facts;
}

const positionOf = ({ partition, offset }: RowFact): string => `${partition}/${offset}`;

function subjectOf({ record }: LedgerEntry): NamedSubject {
  return { tenant: record.tenant ?? '', name: nameOf(dataSubjectOf(record)) };
}

/** Takes the positions of the batch's partitions, so that nobody else writes them meanwhile, and says where they are. */
async function lockPositions(query: Query, facts: readonly RowFact[]): Promise<Map<number, number>> {
  const partitions = [...new Set(facts.map(({ partition }) => partition))];
  const lock = () =>
    query<{ audit_partition: number; next_offset: string }>(
      'SELECT audit_partition, next_offset::text FROM ledger.position WHERE audit_partition = ANY($1::int[]) ORDER BY 1 FOR UPDATE',
      [partitions],
      'ledger-lock',
    );
  let rows = await lock();
  if (rows.length < partitions.length) {
    await query(
      'INSERT INTO ledger.position SELECT p, 0 FROM unnest($1::int[]) AS p ORDER BY 1 ON CONFLICT DO NOTHING',
      [partitions],
    );
    rows = await lock();
  }
  return new Map(rows.map((row) => [row.audit_partition, Number(row.next_offset)]));
}

/** Behind the position anything may have been written before; from there on nothing was. */
async function withoutWritten(
  query: Query,
  facts: readonly RowFact[],
  positions: ReadonlyMap<number, number>,
): Promise<readonly RowFact[]> {
  const doubtful = facts.filter(({ partition, offset }) => offset < (positions.get(partition) ?? 0));
  if (doubtful.length === 0) return facts;
  const rows = await query<{ audit_partition: number; audit_offset: string }>(
    `SELECT r.audit_partition, r.audit_offset::text FROM ledger.audit_record r
     JOIN unnest($1::int[], $2::bigint[]) AS wanted (p, o) ON r.audit_partition = wanted.p AND r.audit_offset = wanted.o`,
    [doubtful.map(({ partition }) => partition), doubtful.map(({ offset }) => offset.toString())],
    'ledger-written',
  );
  const written = new Set(rows.map((row) => `${row.audit_partition}/${row.audit_offset}`));
  return facts.filter((fact) => !written.has(positionOf(fact)));
}

function nextOffsets(facts: readonly RowFact[], positions: ReadonlyMap<number, number>): Map<number, number> {
  const next = new Map(positions);
  for (const { partition, offset } of facts) {
    if (offset + 1 > (next.get(partition) ?? 0)) next.set(partition, offset + 1);
  }
  return next;
}
