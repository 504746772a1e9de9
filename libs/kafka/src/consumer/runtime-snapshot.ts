import type { Entry, Lane, OwnedPartition } from './owned-partition.js';
import { isHolding } from './retry/parked-copy.js';
import { pairOf } from './retry/retry-pair.js';
import type { HeldLaneSnapshot, ParkedSnapshot, PartitionSnapshot } from './runtime-options.js';

export function snapshotPartition(owner: OwnedPartition): PartitionSnapshot {
  const { topic, partition, tracker, windowRecords, windowBytes, inFlight } = owner;
  return {
    topic,
    partition,
    watermark: tracker?.watermark,
    knownEnd: tracker?.knownEnd,
    windowRecords,
    windowBytes,
    inFlight,
    mapBytes: tracker?.mapBytes ?? 0,
    oldestUnfinishedMs: oldestUnfinished(owner),
  };
}

function oldestUnfinished(owner: OwnedPartition): number | undefined {
  const index = pairOf(owner)?.index;
  let oldest: Entry | undefined;
  for (const { head, key } of owner.lanes.values()) {
    if (index?.isHeldByDeadLetter(key)) continue;
    if (head && (!oldest || head.position < oldest.position)) oldest = head;
  }
  return oldest?.record.timestampMs;
}

export function snapshotHeldLanes(owner: OwnedPartition): HeldLaneSnapshot[] {
  const index = pairOf(owner)?.index;
  // What waits behind a dead letter is told there.
  const held = [...owner.lanes.values()].filter((lane) => isHeld(lane) && !index?.isHeldByDeadLetter(lane.key));
  return held.map((lane) => ({
    topic: owner.topic,
    partition: owner.partition,
    lane: lane.key,
    offset: String(lane.head?.record.offset),
    state: lane.state as HeldLaneSnapshot['state'],
    reason: lane.reason,
    sinceMs: lane.heldSinceMs,
    untilMs: Number.isFinite(lane.heldUntilMs) ? lane.heldUntilMs : undefined,
    attempts: lane.head?.attempts ?? 0,
  }));
}

export function snapshotParked(owner: OwnedPartition): ParkedSnapshot[] {
  const { topic, partition } = owner;
  const pair = pairOf(owner);
  if (!pair || pair.retry !== owner) return [];
  const { index } = pair;
  return [
    {
      topic,
      partition,
      records: index.size,
      earliestDueMs: index.earliestDueMs(),
      oldestFailureMs: index.oldestFailureMs(false),
      oldestDeadMs: index.oldestFailureMs(true),
      heads: index.heads().map(({ copy, records }) => ({
        lane: copy.lane,
        records,
        offset: copy.origin,
        attempts: copy.attempts,
        dueMs: copy.dueMs,
        firstFailureMs: copy.firstFailureMs,
        deadLetter: isHolding(copy) ? (copy.deadLetter ?? '') : undefined,
      })),
    },
  ];
}

const isHeld = ({ state }: Lane): boolean => state === 'held' || state === 'gated' || state === 'blocked';
