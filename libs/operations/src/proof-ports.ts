import { topics } from '@tributary/contracts';
import type { TopicAdmin } from '@tributary/kafka';
import type { Database } from '@tributary/persistence';
import type { PartitionOffsets, ProofPorts } from '@tributary/proof';
import { LedgerReader } from './ledger-reader.js';

const lookAgainMs = 200;

export interface ProofLimits {
  /** Longest wait for the ledger to catch up. */
  readonly waitMs: number;
  readonly from: Date | null;
  readonly to: Date | null;
}

/** Connects the proof to a cluster and a ledger. */
export function proofPorts(admin: TopicAdmin, database: Database, limits: ProofLimits): ProofPorts {
  const ledger = new LedgerReader(database);
  return {
    query: (text, values, name) => database.query(text, values, name),
    offsetsOf: (topic, group) => offsetsOf(admin, topic, group, limits),
    waitForLedger: () => ledgerReaches(admin, ledger, limits.waitMs),
  };
}

async function offsetsOf(
  admin: TopicAdmin,
  topic: string,
  group: string,
  { from, to }: ProofLimits,
): Promise<PartitionOffsets[]> {
  // The group first: whatever it had committed by then is below the ends read afterwards.
  const committed = new Map((await admin.groupOffsets(group, [topic])).map((one) => [one.partition, one.offset]));
  const ranges = (await admin.offsets(topic)) ?? [];
  // The ledger's own offsets are proved whole: a missing row has no time.
  if (topic === topics.audit.name)
    return ranges.map((range) => ({ ...range, committed: committed.get(range.partition) }));
  const first = from && (await admin.offsetsAt(topic, from.getTime()));
  const end = to && (await admin.offsetsAt(topic, to.getTime()));
  return ranges.map(({ partition, low, high }) => ({
    partition,
    low: Math.max(low, first?.get(partition) ?? low),
    high: Math.min(high, end?.get(partition) ?? high),
    committed: committed.get(partition),
  }));
}

/** Waits until the ledger has every audit record that is in the topic now; false when that takes longer than the limit. */
export async function ledgerReaches(admin: TopicAdmin, ledger: LedgerReader, waitMs: number): Promise<boolean> {
  const ends = (await admin.offsets(topics.audit.name)) ?? [];
  for (const deadline = Date.now() + waitMs; ; ) {
    // The highest row says nothing about those below, which may still be being written; what the group committed does.
    const group = await admin.groupOffsets('audit-logger', [topics.audit.name]);
    const committed = new Map(group.map(({ partition, offset }) => [partition, offset ?? 0]));
    const rows = await ledger.positions();
    const reached = (partition: number) => Math.min(committed.get(partition) ?? 0, rows.get(partition) ?? 0);
    if (ends.every(({ partition, low, high }) => high === low || reached(partition) >= high)) return true;
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
}
