import { topics } from '@tributary/contracts';
import { joined } from './block.js';
import { named } from './coverage.js';
import {
  auditBlocks,
  auditOffsetsWithoutRow,
  auditRows,
  ledgerPositions,
  type PartitionBounds,
} from './ledger-queries.js';
import type { LedgerSums } from './report.js';
import type { Work } from './work.js';

/** Every offset of the audit topic is a row, from the first that the ledger or the topic has to the last that was taken. */
export async function proveLedger({ ports, blocks, findings }: Work): Promise<LedgerSums> {
  const { name } = topics.audit;
  const positions = await ledgerPositions(ports.query);
  let waiting = 0;
  const all: PartitionBounds[] = [];
  const taken = new Map<number, number>();
  for (const { partition, low, high, committed } of await ports.offsetsOf(name, 'audit-logger')) {
    const position = positions.get(partition) ?? { first: low, next: low };
    all.push({ partition, from: Math.min(low, position.first), to: high });
    // What the group committed was written once, also when the ledger itself no longer knows: a restored backup.
    const to = Math.min(Math.max(position.next, committed ?? low, low), high);
    taken.set(partition, to);
    waiting += Math.max(0, high - to);
  }
  // A row that was taken out of a block that is kept would be noticed by nobody before the next full proof.
  await blocks.recount(name, 'rows', (spans) => auditRows(ports.query, name, spans));
  const summed = await blocks.of(name, all, (spans) => auditBlocks(ports.query, name, spans));
  const partial = summed.filter(({ from, to, sums }) => (sums.offsets ?? 0) < to - from);
  for (const block of partial) blocks.refuse(block);
  for (const { partition, from, to } of joined(partial)) {
    const end = Math.min(to, taken.get(partition) ?? from);
    if (from >= end) continue;
    const missing = await auditOffsetsWithoutRow(ports.query, { partition, from, to: end });
    for (const range of missing.ranges)
      findings.add('ledger', `${named(name, partition, range)} the row is missing from the ledger`);
  }
  return {
    records: all.reduce((sum, { from, to }) => sum + to - from, 0),
    rows: summed.reduce((sum, block) => sum + (block.sums.rows ?? 0), 0),
    waiting,
  };
}
