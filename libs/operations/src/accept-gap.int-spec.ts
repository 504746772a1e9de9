import type { AuditRecord } from '@tributary/contracts';
import { Ledger, LedgerTrees } from '@tributary/persistence';
import { beforeEach, describe, expect, it } from 'vitest';
import { anAcceptedRecord } from '../../persistence/src/testing/an-accepted-record.js';
import { withMigratedDatabase } from '../../persistence/src/testing/migrated-database.js';
import { oneDataKey } from '../../persistence/src/testing/one-data-key.js';
import { tamper } from '../../persistence/src/testing/tamper.js';
import { acceptGap, type Gap, NotAGap } from './accept-gap.js';

const held = withMigratedDatabase();
const january = Date.UTC(2026, 0, 15);
let told: AuditRecord[];

beforeEach(async () => {
  told = [];
  await tamper(held.database, 'TRUNCATE ledger.audit_record, ledger.position, ledger.tree, ledger.tree_node');
  // 10 to 12 are lost, and the topic begins at 15.
  await write(5, 10);
  await write(13, 20);
  await new LedgerTrees(held.database).begin(0, 5);
  await new LedgerTrees(held.database).extend(0);
});

const write = (from: number, to: number) =>
  new Ledger({ database: held.database, dataKeys: oneDataKey() }).write(
    Array.from({ length: to - from }, (_, i) => ({
      partition: 0,
      offset: BigInt(from + i),
      timestampMs: january,
      record: anAcceptedRecord(from + i),
    })),
  );

const accept = (gap: Partial<Gap> = {}, low = 15) =>
  acceptGap(
    {
      trees: new LedgerTrees(held.database),
      ledger: new Ledger({ database: held.database, dataKeys: { forWriting: async () => [] } }),
      retained: async () => [{ partition: 0, low, high: 20 }],
      audit: { write: async (record) => void told.push(record) },
      nowMs: () => january + 1_000,
    },
    { partition: 0, first: 10, last: 12, ...gap },
    { actor: 'cli/ada', reason: 'the volume was lost' },
  );

describe('a gap in the ledger', () => {
  it('that is accepted is told, has rows that say so, and no longer holds the tree', async () => {
    const trees = new LedgerTrees(held.database);
    expect(await trees.extend(0)).toMatchObject({ size: 5, isHeldByGap: true });
    await accept();
    expect(await trees.extend(0)).toMatchObject({ size: 15, isHeldByGap: false });
    expect(told).toMatchObject([
      {
        action: 'gap-accepted',
        actor: 'cli/ada',
        reason: 'the volume was lost',
        details: { offsets: 'audit.records.v1/0/10-12' },
      },
    ]);
    const rows = await held.database.query(
      "SELECT audit_offset::int AS offset, outcome, actor FROM ledger.fact WHERE action = 'gap-accepted' ORDER BY 1",
    );
    expect(rows).toEqual([10, 11, 12].map((offset) => ({ offset, outcome: 'lost', actor: 'cli/ada' })));
  });

  it.each<[string, Partial<Gap>, RegExp]>([
    ['that has a row', { last: 13 }, /offset 13 has a row/],
    ['that begins in the tree', { first: 9 }, /offset 9 is in the tree, which ends at 9/],
    ['of another partition', { partition: 7 }, /no partition 7/],
    ['that ends before it begins', { first: 12, last: 11 }, /are no offsets/],
    ['that is huge', { last: 100_010 }, /more than 100000/],
  ])('%s is refused', async (_, gap, why) => {
    await expect(accept(gap, 200_000)).rejects.toThrow(why);
    expect(told).toEqual([]);
  });

  it('whose records the topic still has is refused', async () => {
    await expect(accept({}, 12)).rejects.toThrow(NotAGap);
    await expect(accept({}, 12)).rejects.toThrow(/set the group audit-logger back/);
  });
});
