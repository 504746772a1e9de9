import { topics } from '@tributary/contracts';
import { activeSuspension } from '@tributary/control';
import { readRecords, type TopicAdmin } from '@tributary/kafka';
import type { Database } from '@tributary/persistence';
import type { PartitionOffsets, ProofPorts, Surroundings } from '@tributary/proof';
import type { LiveState, Platform } from '@tributary/runtime';
import { LedgerReader } from './ledger-reader.js';
import { finishedOf, parkedIn, standingOf } from './standing-record.js';

const lookAgainMs = 200;

export interface ProofLimits {
  /** Longest wait for the ledger to catch up. */
  readonly waitMs: number;
  readonly from: Date | null;
  readonly to: Date | null;
}

export interface ProofWorld {
  readonly platform: Pick<Platform, 'client' | 'followTables'>;
  readonly admin: TopicAdmin;
  readonly database: Database;
  /** What services say about themselves, for those that were named. */
  readonly liveStates?: () => Promise<readonly LiveState[]>;
}

/** Connects the proof to a cluster and a ledger. */
export function proofPorts(world: ProofWorld, limits: ProofLimits): ProofPorts {
  const { platform, admin, database } = world;
  const ledger = new LedgerReader(database);
  const read = (ranges: Parameters<ProofPorts['read']>[0]) => readRecords({ client: platform.client, ranges });
  return {
    query: (text, values, name) => database.query(text, values, name),
    offsetsOf: (topic, group) => offsetsOf(admin, topic, group, limits),
    waitForLedger: () => ledgerReaches(admin, ledger, limits.waitMs),
    parked: (chains) => parkedIn(admin, read, chains),
    read: async function* (ranges) {
      for await (const record of read(ranges)) yield standingOf(record);
    },
    surroundings: (groups) => surroundingsOf(world, groups),
    nowMs: Date.now,
  };
}

async function offsetsOf(
  admin: TopicAdmin,
  topic: string,
  group: string,
  { from, to }: ProofLimits,
): Promise<PartitionOffsets[]> {
  // The group first: whatever it had committed by then is below the ends read afterwards.
  const finished = await finishedOf(admin, group, topic);
  const ranges = (await admin.offsets(topic)) ?? [];
  const whole = ranges.map((range) => ({
    ...range,
    committed: undefined,
    ...finished.get(range.partition),
  }));
  // The ledger's own offsets are proved whole: a missing row has no time.
  if (topic === topics.audit.name) return whole;
  const first = from && (await admin.offsetsAt(topic, from.getTime()));
  const end = to && (await admin.offsetsAt(topic, to.getTime()));
  return whole.map((one) => ({
    ...one,
    low: Math.max(one.low, first?.get(one.partition) ?? one.low),
    high: Math.min(one.high, end?.get(one.partition) ?? one.high),
  }));
}

async function surroundingsOf(
  { platform, admin, liveStates }: ProofWorld,
  groups: readonly string[],
): Promise<Surroundings> {
  const followed = await platform.followTables(['suspensions']);
  const suspensions: Array<readonly [string, NonNullable<ReturnType<Surroundings['suspensions']['get']>>]> = [];
  for (const row of followed.tables.suspensions.all().values()) {
    const { connectionId, reason, suspendedBy, suspendedAt, until } = row;
    if (activeSuspension(row, Date.now()))
      suspensions.push([connectionId, { reason, by: suspendedBy, sinceMs: suspendedAt, untilMs: until }]);
  }
  await followed.close();
  const members = new Map<string, number>();
  for (const group of groups) members.set(group, (await admin.group(group)).members);
  const gates = ((await liveStates?.()) ?? []).flatMap(({ gates: { list } }) =>
    // A budget or a full house passes by itself within moments; that is no reason.
    list.filter(({ kind }) => kind !== 'busy').map((gate) => ({ ...gate, connectionId: rootOf(gate.scope) })),
  );
  return { suspensions: new Map(suspensions), members, gates };
}

/** Gates are named by connection, or by connection and a part of it. */
const rootOf = (scope: string): string => scope.split('\u203a', 1)[0] ?? scope;

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
