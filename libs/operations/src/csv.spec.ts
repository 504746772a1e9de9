import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvRow } from './csv.js';

/** As a reader of RFC 4180 takes a line apart. */
function cellsIn(line: string): string[] {
  const cells: string[] = [];
  for (let rest = line; ; ) {
    const quoted = /^"((?:[^"]|"")*)"(,|\r\n)/.exec(rest);
    const plain = /^([^",\r\n]*)(,|\r\n)/.exec(rest);
    const match = quoted ?? plain;
    if (!match) throw new Error(`no CSV: ${JSON.stringify(rest)}`);
    cells.push((match[1] ?? '').replaceAll('""', '"'));
    if (match[2] === '\r\n') return cells;
    rest = rest.slice(match[0].length);
  }
}

describe('a line of CSV', () => {
  it.each([
    ['a plain text', 'connector/1', 'connector/1'],
    ['a comma', 'a,b', '"a,b"'],
    ['a quote', 'say "no"', '"say ""no"""'],
    ['a line break', 'a\r\nb', '"a\r\nb"'],
    ['nothing', null, ''],
    ['a negative number', -5, '-5'],
  ])('holds %s', (_, cell, text) => {
    expect(csvRow([cell])).toBe(`${text}\r\n`);
  });

  it.each([
    '=1+1',
    '+1',
    '-1+1',
    '@SUM(A1)',
    '\t=1',
    '\r=1',
    '\n=1',
    ' =1',
    '＝1',
    '＋1',
    '－1',
    '＠x',
    '|cmd',
    '\u200b=1',
    '\ufeff=1',
  ])('never holds the formula %j', (text) => {
    expect(cellsIn(csvRow([text]))).toEqual([`'${text}`]);
  });

  it('gives back what was put in, but for the apostrophe', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), (texts) => {
        const back = cellsIn(csvRow(texts));
        expect(back.map((text, i) => (text === `'${texts[i]}` ? texts[i] : text))).toEqual(texts);
      }),
    );
  });
});
