import { topics } from '@tributary/contracts';
import { gapRecord, operatedRecord } from '@tributary/domain';
import type { Ledger, LedgerTrees } from '@tributary/persistence';
import type { AuditTrail } from '@tributary/pipeline';
import type { Act } from './dead-letters.js';

export interface GapPorts {
  readonly trees: Pick<LedgerTrees, 'find' | 'leafHashes'>;
  readonly ledger: Pick<Ledger, 'write'>;
  /** What the audit topic holds now. */
  readonly retained: () => Promise<ReadonlyArray<{ readonly partition: number; readonly low: number }>>;
  readonly audit: Pick<AuditTrail, 'write'>;
  readonly nowMs: () => number;
}

/** Offsets of a partition of the audit topic, both included. */
export interface Gap {
  readonly partition: number;
  readonly first: number;
  readonly last: number;
}

export class NotAGap extends Error {
  override readonly name = 'NotAGap';
}

const mostOffsets = 100_000;
const rowsAtOnce = 2_000;

/**
 * Puts a row into the place of each record that is lost for good, which says so, so that the tree can grow on. What was lost stays lost:
 * the proof goes on naming what has no record.
 * @throws NotAGap when a record is there, or can still come, or was signed before.
 */
export async function acceptGap(ports: GapPorts, gap: Gap, { actor, reason }: Pick<Act, 'actor' | 'reason'>) {
  await refuseUnlessLost(ports, gap);
  const { partition, first, last } = gap;
  const occurredAtMs = ports.nowMs();
  const offsets = `${topics.audit.name}/${partition}/${first}-${last}`;
  // Before the rows: what somebody put there is never without a reason.
  await ports.audit.write(
    operatedRecord({
      action: 'gap-accepted',
      entity: `audit-gap:${offsets}`,
      reason,
      actor,
      occurredAtMs,
      identity: String(occurredAtMs),
      details: { offsets },
    }),
  );
  for (let from = first; from <= last; from += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, last + 1 - from);
    await ports.ledger.write(
      Array.from({ length: count }, (_, i) => ({
        partition,
        offset: BigInt(from + i),
        timestampMs: occurredAtMs,
        record: gapRecord({ actor, occurredAtMs, lost: { topic: topics.audit.name, partition, offset: from + i } }),
      })),
    );
  }
}

async function refuseUnlessLost({ trees, retained }: GapPorts, { partition, first, last }: Gap): Promise<void> {
  if (first > last) throw new NotAGap(`${first} to ${last} are no offsets`);
  if (last - first >= mostOffsets) throw new NotAGap(`more than ${mostOffsets} offsets at once`);
  const range = (await retained()).find((one) => one.partition === partition);
  if (!range) throw new NotAGap(`${topics.audit.name} has no partition ${partition}`);
  if (last >= range.low) {
    throw new NotAGap(
      `${topics.audit.name} still has records of partition ${partition} from offset ${range.low} on: set the group audit-logger back to the first that is missing`,
    );
  }
  const tree = await trees.find(partition);
  if (!tree) throw new NotAGap(`partition ${partition} has no tree: is the audit-logger running?`);
  const end = tree.firstOffset + tree.size;
  if (first < end) {
    throw new NotAGap(
      `offset ${first} is in the tree, which ends at ${end - 1}: a row that is missing there was taken out, see "tributary audit verify --database"`,
    );
  }
  const [there] = await trees.leafHashes(partition, first, last + 1);
  if (there) throw new NotAGap(`offset ${there.offset} has a row`);
}
