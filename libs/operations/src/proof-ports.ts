import { topics } from '@tributary/contracts';
import type { TopicAdmin } from '@tributary/kafka';
import type { Database } from '@tributary/persistence';
import type { PartitionOffsets, ProofPorts } from '@tributary/proof';
import { LedgerReader } from './ledger-reader.js';

const lookAgainMs = 200;

/** Connects the proof to a cluster and a ledger. */
export function proofPorts(admin: TopicAdmin, database: Database, waitMs: number): ProofPorts {
  const ledger = new LedgerReader(database);
  return {
    query: (text, values, name) => database.query(text, values, name),
    offsetsOf: (topic, group) => offsetsOf(admin, topic, group),
    waitForLedger: () => ledgerReaches(admin, ledger, waitMs),
  };
}

async function offsetsOf(admin: TopicAdmin, topic: string, group: string): Promise<PartitionOffsets[]> {
  // The group first: whatever it had committed by then is below the ends read afterwards.
  const committed = new Map((await admin.groupOffsets(group, [topic])).map((one) => [one.partition, one.offset]));
  const ranges = (await admin.offsets(topic)) ?? [];
  return ranges.map((range) => ({ ...range, committed: committed.get(range.partition) }));
}

/** Waits until the ledger has every audit record that is in the topic now; false when that takes longer than the limit. */
export async function ledgerReaches(admin: TopicAdmin, ledger: LedgerReader, waitMs: number): Promise<boolean> {
  const ends = (await admin.offsets(topics.audit.name)) ?? [];
  for (const deadline = Date.now() + waitMs; ; ) {
    const positions = await ledger.positions();
    if (ends.every(({ partition, low, high }) => high === low || (positions.get(partition) ?? 0) >= high)) return true;
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
}
