import { describe, expect, it } from 'vitest';
import { blockSize } from './block.js';
import type { TopicBounds } from './ledger-queries.js';
import type { Query } from './ports.js';
import { BlockSums, recountedAtMost } from './remembered.js';

const topic = 'audit.records.v1';

/** A ledger with so many blocks summed up, after so many proofs. */
const ledgerWith =
  (blocks: number, version: number): Query =>
  async (text) => {
    if (text.includes('FROM ledger.proof_mark')) return [{ version: String(version), positions: {} }] as never;
    if (text.includes('FROM ledger.proof_block'))
      return Array.from({ length: blocks }, (_, block) => ({
        ...{ topic, partition: 0, block: String(block), sums: { rows: blockSize } },
        ...{ from: String(block * blockSize), to: String((block + 1) * blockSize) },
      })) as never;
    return [] as never;
  };

async function recounted(blocks: number, version: number): Promise<Set<number>> {
  const sums = await BlockSums.open(ledgerWith(blocks, version), false);
  const asked = new Set<number>();
  await sums.recount(topic, 'rows', async (spans: readonly TopicBounds[]) => {
    for (const { from, to } of spans) for (let at = from; at < to; at += blockSize) asked.add(at / blockSize);
    return [];
  });
  return asked;
}

describe('what is counted again of the blocks that are kept', () => {
  it.each([0, 1, recountedAtMost])('is all, of %d blocks', async (blocks) => {
    expect((await recounted(blocks, 7)).size).toBe(blocks);
  });

  it('is as many as may be of more, and each has its turn', async () => {
    const blocks = recountedAtMost * 2 + 5;
    const seen = new Set<number>();
    for (const version of [40, 41, 42]) {
      const turn = await recounted(blocks, version);
      expect(turn.size).toBe(recountedAtMost);
      for (const block of turn) seen.add(block);
    }
    expect(seen.size).toBe(blocks);
  });
});
