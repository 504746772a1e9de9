import { describe, expect, it } from 'vitest';
import { copyChunks, PreparedBatch, type RowFact } from './prepared-batch.js';

/** Rows of four bytes, of which the last says whether it is a repeat. */
function aBatch(rows: number) {
  const facts = Array.from({ length: rows }, (_, i) => ({ offset: i, start: i * 4, end: i * 4 + 4 }) as RowFact);
  const bytes = Buffer.from(facts.flatMap((_, i) => [9, 9, i, 0]));
  return new PreparedBatch({ bytes: () => bytes, release: () => undefined }, facts);
}

const rowsOf = (chunks: readonly Buffer[]): number[][] => {
  const bytes = [...Buffer.concat(chunks.slice(1, -1))];
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.slice(i * 4 + 2, i * 4 + 4));
};

describe('the COPY of prepared batches', () => {
  it('marks repeats, and leaves out what is not wanted', () => {
    const batch = aBatch(3);
    const [first, second, third] = batch.facts as [RowFact, RowFact, RowFact];
    const chunks = copyChunks([batch], new Set([first, third]), new Set([third]));
    expect(rowsOf(chunks)).toEqual([
      [0, 0],
      [2, 1],
    ]);
    expect(rowsOf(copyChunks([batch], new Set([second]), new Set()))).toEqual([[1, 0]]);
  });

  it('does not keep the mark of a transaction that failed', () => {
    const batch = aBatch(2);
    const [first, second] = batch.facts as [RowFact, RowFact];
    const wanted = new Set([first, second]);
    expect(rowsOf(copyChunks([batch], wanted, new Set([second])))).toEqual([
      [0, 0],
      [1, 1],
    ]);
    expect(rowsOf(copyChunks([batch], wanted, new Set()))).toEqual([
      [0, 0],
      [1, 0],
    ]);
  });
});
