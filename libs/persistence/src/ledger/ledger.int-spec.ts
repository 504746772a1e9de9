import type { AuditRecord } from '@tributary/contracts';
import { type LedgerRow, leafHash } from '@tributary/ledger';
import { withDatabase } from '@tributary/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Database } from '../database.js';
import { RowRefused } from '../database-errors.js';
import { migrate } from '../migrate.js';
import { PersonalReader, type SealedRow } from '../personal/personal-reader.js';
import { anAcceptedRecord } from '../testing/an-accepted-record.js';
import { oneDataKey } from '../testing/one-data-key.js';
import { tamper } from '../testing/tamper.js';
import { Ledger } from './ledger.js';
import type { LedgerEntry } from './ledger-row.js';

const held = withDatabase();
let database: Database;
let ledger: Ledger;
const dataKeys = oneDataKey();

beforeAll(async () => {
  await migrate(held.url);
  database = new Database({ url: held.url, applicationName: 'spec', maxConnections: 8, onIdleError: () => undefined });
});
beforeEach(async () => {
  await tamper(database, 'TRUNCATE ledger.audit_record, ledger.position, ledger.destination_month');
  ledger = new Ledger({ database, dataKeys });
});
afterAll(() => database.close());

const january = Date.UTC(2026, 0, 15);

const aRecord = (offset: number, over: Partial<AuditRecord> = {}): AuditRecord => ({
  ...anAcceptedRecord(offset, { occurredAtMs: january }),
  ...over,
});

const anEntry = (offset: number, over: Partial<LedgerEntry> = {}): LedgerEntry => ({
  partition: 0,
  offset: BigInt(offset),
  timestampMs: january,
  record: aRecord(offset),
  ...over,
});

const count = async (): Promise<number> =>
  Number((await database.query<{ n: string }>('SELECT count(*)::text AS n FROM ledger.audit_record'))[0]?.n);
/** What is personal in the rows, by offset. */
async function readPersonal() {
  const rows = await database.query<SealedRow & Record<string, unknown>>(
    'SELECT subject_index, personal FROM ledger.audit_record ORDER BY audit_offset',
  );
  const readings = await new PersonalReader(dataKeys).open(rows);
  return readings.map((reading) => (reading.state === 'open' ? reading.fields : undefined));
}
const positions = () =>
  database.query('SELECT audit_partition AS p, next_offset::int AS next FROM ledger.position ORDER BY 1');

describe('Ledger', () => {
  it('keeps every field', async () => {
    const record = aRecord(7, {
      subject: 'ada',
      reason: 'because',
      durationMs: 12,
      attempt: 3,
      events: 2,
      deliveries: [{ deliveryId: 'd', subscriptionId: 's', connectionId: 'c', destination: 'slack', operation: 'o' }],
      skipped: [{ subscriptionId: 's', reason: 'filter' }],
      details: { acceptedAtMs: '1', a: 'b' },
    });
    await ledger.write([anEntry(7, { partition: 4, record })]);
    expect(await database.query('SELECT * FROM ledger.audit_record')).toMatchObject([
      {
        audit_partition: 4,
        audit_offset: '7',
        audit_id: record.auditId,
        event_id: 'e7',
        origin_offset: '7',
        recorded_at: new Date(january),
        occurred_at: new Date(january),
        duration_ms: '12',
        attempt: 3,
        events: 2,
        deliveries: record.deliveries,
        skipped: record.skipped,
        details: { acceptedAtMs: '1' },
        leaf_hash: expect.any(Buffer),
        is_repeat: false,
      },
    ]);
    const personal = { subject: 'ada', reason: 'because', details: { a: 'b' } };
    expect(await readPersonal()).toEqual([personal]);
  });

  it('changes nothing when an entry is written again', async () => {
    const batch = [anEntry(0), anEntry(1), anEntry(0, { partition: 1 })];
    await ledger.write(batch);
    await ledger.write([...batch, anEntry(2)]);
    await ledger.write([anEntry(0)]);
    expect(await count()).toBe(4);
    expect(await positions()).toEqual([
      { p: 0, next: 3 },
      { p: 1, next: 1 },
    ]);
  });

  it('has one fact for a record that was told twice', async () => {
    const operation = { ...aRecord(3), auditId: 'x', originTopic: null, entity: 'connection:c', action: 'applied' };
    await ledger.write([anEntry(0), anEntry(1, { record: aRecord(0) }), anEntry(3, { record: operation })]);
    await ledger.write([anEntry(2, { record: aRecord(0) }), anEntry(4, { record: operation })]);
    expect(await count()).toBe(5);
    const facts = await database.query('SELECT audit_offset FROM ledger.fact ORDER BY audit_offset');
    expect(facts).toEqual([{ audit_offset: '0' }, { audit_offset: '3' }]);
  });

  it('finds a fact that another writer has told meanwhile, and sums it once', async () => {
    const other = new Ledger({ database, dataKeys });
    const delivered = (offset: number) => ({
      ...aRecord(offset),
      action: 'settled',
      outcome: 'delivered',
      destination: 'slack',
    });
    await ledger.write([anEntry(0, { record: delivered(0) })]);
    await other.write([1, 2, 3].map((n) => anEntry(n, { record: delivered(n) })));
    await ledger.write([anEntry(4, { record: delivered(2) }), anEntry(5, { record: delivered(5) })]);
    await other.write([anEntry(6, { record: delivered(5) }), anEntry(7, { record: delivered(4) })]);
    const repeats = await database.query('SELECT audit_offset::int AS o FROM ledger.audit_record WHERE is_repeat');
    expect(repeats).toEqual([{ o: 4 }, { o: 6 }]);
    const [sums] = await database.query('SELECT destination, delivered::int FROM ledger.monthly_summary');
    expect(sums).toEqual({ destination: 'slack', delivered: 6 });
  });

  it('takes a record that comes twice in a batch once', async () => {
    await ledger.write([anEntry(1), anEntry(2), anEntry(1), anEntry(0)]);
    await ledger.write([anEntry(0), anEntry(3), anEntry(1)]);
    expect(await count()).toBe(4);
    expect(await database.query('SELECT 1 FROM ledger.audit_record WHERE is_repeat')).toEqual([]);
  });

  it('lets several writers write the same at once', async () => {
    const writers = Array.from({ length: 6 }, () => new Ledger({ database, dataKeys }));
    const entries = Array.from({ length: 100 }, (_, n) => anEntry(n, { partition: n % 3 }));
    await Promise.all(writers.map((writer) => writer.write(entries)));
    expect(await count()).toBe(100);
    expect(await database.query('SELECT 1 FROM ledger.audit_record WHERE is_repeat')).toEqual([]);
  });

  it('stores the leaf of the row as it stands', async () => {
    await fc.assert(
      fc.asyncProperty(anyRecord, async (record) => {
        const offset = nextOffset++;
        await ledger.write([anEntry(offset, { record: { ...record, auditId: `property ${offset}` } })]);
        const [row] = await database.query<StoredRow>('SELECT * FROM ledger.audit_record WHERE audit_offset = $1', [
          offset,
        ]);
        expect(leafHash(hashedRow(row as StoredRow)).equals(row?.leaf_hash as Buffer)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('writes nothing personal of who was erased after the record was recorded', async () => {
    const key = {
      ...(await dataKeys.forWriting([{ tenant: 'acme', name: 'subject ada' }]))[0],
      erasedUntilMs: january,
    };
    const erasing = new Ledger({ database, dataKeys: { forWriting: async () => [key as never, key as never] } });
    const record = (offset: number) => aRecord(offset, { subject: 'ada', reason: 'because' });
    await erasing.write([
      anEntry(0, { record: record(0) }),
      anEntry(1, { record: record(1), timestampMs: january + 1 }),
    ]);
    expect(await readPersonal()).toEqual([undefined, { subject: 'ada', reason: 'because' }]);
  });

  it('takes nothing of a batch that fails', async () => {
    const tooLong = aRecord(1, { tenant: randomText(5_000) });
    const failing = ledger.write([anEntry(0), anEntry(1, { record: tooLong }), anEntry(2)]);
    await expect(failing).rejects.toThrow(RowRefused);
    expect(await count()).toBe(0);
    expect(await positions()).toEqual([]);
  });

  it.each<[string, Partial<LedgerEntry>]>([
    ['a moment that no calendar has', { timestampMs: 9e15 }],
    ['an act at no time', { record: aRecord(0, { occurredAt: Number.NaN }) }],
    ['a number too large', { record: aRecord(0, { attempt: 2 ** 40 }) }],
  ])('blames the values for %s, so that the record can be dead-lettered', async (_, over) => {
    await expect(ledger.write([anEntry(0, over)])).rejects.toThrow(RowRefused);
  });

  it('takes text as it comes; what PostgreSQL cannot hold is replaced', async () => {
    const hostile = ['a\0b', `'"\\{},NULL`, '\\u0000', 'a\\\\\0', '🙂\u2028', ''];
    const entries = hostile.map((text, i) =>
      anEntry(i, { record: aRecord(i, { reason: text, source: text, details: { status: text } }) }),
    );
    await ledger.write(entries);
    const rows = await database.query('SELECT source, details FROM ledger.audit_record ORDER BY audit_offset');
    const kept = hostile.map((text) => text.replaceAll('\0', '\uFFFD'));
    expect(rows).toEqual(kept.map((text) => ({ source: text, details: { status: text } })));
    // What is encrypted is kept as it came.
    expect((await readPersonal()).map((fields) => fields?.reason)).toEqual(hostile);
  });

  it('keeps any text that Avro can carry', async () => {
    let offset = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { maxLength: 5 }), async (texts) => {
        // Avro strings are UTF-8.
        const well = texts.map((text) => text.toWellFormed());
        const record = aRecord(offset, {
          reason: well.join('|'),
          skipped: well.map((reason) => ({ subscriptionId: 's', reason })),
        });
        await ledger.write([anEntry(offset, { record })]);
        const [row] = await database.query<{ skipped: Array<{ reason: string }> }>(
          'SELECT skipped FROM ledger.audit_record WHERE audit_offset = $1',
          [offset++],
        );
        expect(row?.skipped.map(({ reason }) => reason)).toEqual(well.map((text) => text.replaceAll('\0', '\uFFFD')));
      }),
      { numRuns: 50 },
    );
  });

  it('writes a large batch at once', async () => {
    await ledger.write(Array.from({ length: 2_000 }, (_, i) => anEntry(i, { partition: i % 6 })));
    expect(await count()).toBe(2_000);
  });

  it('makes the partition of a month when it is needed, though many writers need it at once', async () => {
    const moments = [Date.UTC(2031, 0, 1) - 1, Date.UTC(2031, 0, 1), Date.UTC(2031, 1, 28, 23, 59, 59, 999), 0];
    const writers = Array.from({ length: 8 }, () => new Ledger({ database, dataKeys }));
    await Promise.all(
      writers.map((writer, n) => writer.write(moments.map((timestampMs, i) => anEntry(n * 10 + i, { timestampMs })))),
    );
    expect(await count()).toBe(32);
    const tables = await database.query<{ name: string }>(
      'SELECT tableoid::regclass::text AS name, count(*)::int FROM ledger.audit_record GROUP BY 1 ORDER BY 1',
    );
    expect(tables).toEqual(
      ['1970_01', '2030_12', '2031_01', '2031_02'].map((month) => ({ name: `ledger.audit_record_${month}`, count: 8 })),
    );
  });

  it('makes a month again that was retired while it wrote to it', async () => {
    await ledger.write([anEntry(0)]);
    await database.query('ALTER TABLE ledger.audit_record DETACH PARTITION ledger.audit_record_2026_01');
    await database.query('DROP TABLE ledger.audit_record_2026_01');
    await expect(ledger.write([anEntry(1)])).rejects.toMatchObject({ retryable: true });
    await ledger.write([anEntry(1)]);
    expect(await count()).toBe(1);
  });

  it('writes a batch that failed as it was, though others were written in the meantime', async () => {
    await ledger.write([anEntry(0)]);
    const failing = await ledger.prepareRows([anEntry(1)]);
    await database.query('ALTER TABLE ledger.audit_record DETACH PARTITION ledger.audit_record_2026_01');
    await database.query('DROP TABLE ledger.audit_record_2026_01');
    await expect(ledger.writePrepared([failing])).rejects.toMatchObject({ retryable: true });
    for (const offset of [2, 3, 4]) await ledger.write([anEntry(offset)]);
    await ledger.writePrepared([failing]);
    const rows = await database.query(
      'SELECT audit_offset::int AS at, event_id AS id FROM ledger.audit_record ORDER BY 1',
    );
    expect(rows).toEqual([1, 2, 3, 4].map((at) => ({ at, id: `e${at}` })));
  });

  it('prepares this month and the next', async () => {
    await ledger.prepare(Date.UTC(2040, 11, 31, 23));
    const [row] = await database.query(
      "SELECT to_regclass('ledger.audit_record_2040_12') IS NOT NULL AS this, to_regclass('ledger.audit_record_2041_01') IS NOT NULL AS next",
    );
    expect(row).toEqual({ this: true, next: true });
  });

  it('never moves a position back', async () => {
    await ledger.write([anEntry(9)]);
    await ledger.write([anEntry(3)]);
    expect(await positions()).toEqual([{ p: 0, next: 10 }]);
  });
});

/** Does not shrink when compressed, as an index would try. */
const randomText = (length: number): string =>
  Array.from({ length }, (_, i) => String.fromCodePoint(0x4e00 + ((i * 7919 + ((i * i) % 977) * 31) % 20_000))).join(
    '',
  );

type StoredRow = Readonly<Record<string, unknown>>;
let nextOffset = 0;

/** The row as it was hashed, from the row as it stands. */
function hashedRow({ leaf_hash, is_repeat, ...row }: StoredRow): LedgerRow {
  const plain = Object.entries(row).map(([name, value]) => {
    if (value instanceof Date) return [name, value.getTime()];
    if (Buffer.isBuffer(value)) return [name, value.toString('base64')];
    return [name, /_offset$|_ms$/.test(name) ? Number(value) : value];
  });
  return Object.fromEntries(plain) as LedgerRow;
}

// Short enough for every index; anything that UTF-8 can carry.
const anyText = fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.toWellFormed());
const perhaps = fc.option(anyText);
const anyRecord = fc
  .record({
    actor: anyText,
    tenant: perhaps,
    subject: perhaps,
    reason: perhaps,
    eventId: perhaps,
    entity: perhaps,
    deliveryId: perhaps,
    errorCode: perhaps,
    durationMs: fc.nat(),
    originOffset: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
    occurredAt: fc.integer({ min: 0, max: Date.UTC(2200, 0, 1) }),
    details: fc.dictionary(fc.constantFrom('status', 'count', 'other'), anyText),
    skipped: fc.array(fc.record({ subscriptionId: anyText, reason: anyText }), { maxLength: 3 }),
  })
  .map((over) => aRecord(0, over));
