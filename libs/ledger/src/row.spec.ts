import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Json, type LedgerRow, leafHash, RowNotHashable, rowText } from './row.js';

const text = fc.string({ unit: 'binary' });
const integer = fc.maxSafeInteger();
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    integer,
    // An integer that a double cannot hold exactly is refused; see below.
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Number.isInteger(n) || Number.isSafeInteger(n)),
    text,
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(text, fc.nat(20).map(String)), tie('json'), { maxKeys: 5 }),
  ),
}));
const rows: fc.Arbitrary<LedgerRow> = fc.dictionary(fc.oneof(text, fc.stringMatching(/^[a-z_]{1,8}$/)), json, {
  maxKeys: 12,
});

const sorted = (row: LedgerRow): LedgerRow =>
  Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));

describe('rowText', () => {
  it('is the canonical form of RFC 8785', () => {
    fc.assert(
      fc.property(rows, (row) => {
        expect(rowText(row)).toBe(canonicalize(row));
        expect(rowText(sorted(row))).toBe(canonicalize(row));
      }),
      { numRuns: 1_000 },
    );
  });

  it('orders names by UTF-16 code units, as the example of the RFC', () => {
    const row = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    const values = Object.values(JSON.parse(rowText(row)) as object);
    const order = [...rowText(row).matchAll(/:"([A-Z][a-z]+)/g)].map(([, word]) => word);
    expect(values).toHaveLength(7);
    expect(order).toEqual(['Carriage', 'One', 'Control', 'Latin', 'Euro', 'Emoji', 'Hebrew']);
  });

  it('says the same whatever the order of the columns, also where a JSON column is out of order', () => {
    const row = { audit_offset: 7, details: { '9': 'a', '10': 'b', b: 1, a: 2 }, tenant: null };
    const turned = { tenant: null, details: { a: 2, b: 1, '10': 'b', '9': 'a' }, audit_offset: 7 };
    expect(rowText(row)).toBe('{"audit_offset":7,"details":{"10":"b","9":"a","a":2,"b":1},"tenant":null}');
    expect(rowText(turned)).toBe(rowText(row));
  });

  it('keeps a column that is named like a trap', () => {
    const row = JSON.parse('{"b":1,"__proto__":{"z":1,"a":2},"toJSON":"x"}') as LedgerRow;
    expect(rowText(row)).toBe('{"__proto__":{"a":2,"z":1},"b":1,"toJSON":"x"}');
  });

  it.each<[string, unknown]>([
    ['an integer beyond 2^53', { audit_offset: 2 ** 53 }],
    ['a number that is none', { audit_offset: Number.NaN }],
    ['an infinite number', { attempt: Number.POSITIVE_INFINITY }],
    ['a bigint', { audit_offset: 7n }],
    ['a column without a value', { tenant: undefined }],
    ['the same inside a JSON column', { details: { a: [{ b: undefined }] } }],
    ['the same behind one that is out of order', { z: 1, a: 2 ** 60 }],
  ])('refuses %s and names the column', (_, row) => {
    expect(() => rowText(row as LedgerRow)).toThrow(RowNotHashable);
    expect(() => rowText(row as LedgerRow)).toThrow(/^(audit_offset|attempt|tenant|details|a) is /);
  });
});

describe('leafHash', () => {
  it('is SHA-256 over 0x00 and the text in UTF-8', () => {
    fc.assert(
      fc.property(rows, (row) => {
        const expected = createHash('sha256')
          .update(Buffer.of(0))
          .update(Buffer.from(rowText(row), 'utf8'))
          .digest();
        expect(leafHash(row).equals(expected)).toBe(true);
      }),
    );
  });

  it.each([1, 5_000, 5_461, 16_383, 16_384, 40_000])(
    'is that also of a row with %d characters of three bytes',
    (count) => {
      const row = { details: { a: '€'.repeat(count) } };
      const expected = createHash('sha256')
        .update(`\0${rowText(row)}`)
        .digest();
      expect(leafHash(row).equals(expected)).toBe(true);
    },
  );
});
