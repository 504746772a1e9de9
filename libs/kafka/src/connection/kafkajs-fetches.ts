import { createRequire } from 'node:module';
import { type FetchingGroup, spaced } from './kafkajs-fetch-spacing.js';

interface ConsumerGroup extends FetchingGroup {
  readonly maxWaitTime: number;
  readonly cluster: { refreshMetadataIfNecessary(): Promise<void> };
  readonly subscriptionState: {
    assigned(): TopicPartitions[];
    paused(): TopicPartitions[];
    resume(partitions?: TopicPartitions[]): void;
    isPaused(topic: string, partition: number): boolean;
  };
  filterPartitionsByNode(nodeId: number, partitions: TopicPartitions[]): TopicPartitions[];
  checkForStaleAssignment(): void;
  seekOffsets(partitions: TopicPartitions[]): Promise<void>;
  recoverFromFetch(error: unknown): Promise<void>;
  resume(partitions: TopicPartitions[]): void;
}

interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

/**
 * Makes kafkajs fetch as soon as a partition is resumed. Its loop sleeps for the whole longest wait of a fetch when it finds
 * everything paused, so a consumer that is faster than what it writes to stood still for most of the time. And it spaces the
 * fetches of which something is expected: a round in which everything is paused asks for nothing, and puts no fetch off.
 */
export function patchFetches(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/consumer/consumerGroup.js') as { prototype: ConsumerGroup };
  const { resume } = prototype;
  const fetch = spaced<ConsumerGroup>(prototype.fetch);
  const sleeping = new WeakMap<ConsumerGroup, Set<() => void>>();
  prototype.resume = function (this: ConsumerGroup, partitions) {
    resume.call(this, partitions);
    for (const wake of sleeping.get(this) ?? []) wake();
  };
  prototype.fetch = async function (this: ConsumerGroup, nodeId) {
    if (!isPaused(this, nodeId)) return fetch(this, nodeId);
    if (await isUpToDate(this, nodeId)) await untilResumed(this, nodeId, sleeping);
    return [];
  };
}

const ours = (group: ConsumerGroup, nodeId: number): TopicPartitions[] =>
  group.filterPartitionsByNode(nodeId, group.subscriptionState.assigned());

function isPaused(group: ConsumerGroup, nodeId: number): boolean {
  if (group.subscriptionState.paused().length === 0) return false;
  return ours(group, nodeId).every(({ topic, partitions }) =>
    partitions.every((one) => group.subscriptionState.isPaused(topic, one)),
  );
}

/** What kafkajs does before it finds that there is nothing to ask for. False: it has met an error, and goes on. */
async function isUpToDate(group: ConsumerGroup, nodeId: number): Promise<boolean> {
  try {
    await group.cluster.refreshMetadataIfNecessary();
    group.checkForStaleAssignment();
    await group.seekOffsets(ours(group, nodeId));
    return true;
  } catch (error) {
    await group.recoverFromFetch(error);
    return false;
  }
}

function untilResumed(
  group: ConsumerGroup,
  nodeId: number,
  sleeping: WeakMap<ConsumerGroup, Set<() => void>>,
): Promise<void> {
  // Resumed while the offsets were looked up.
  if (!isPaused(group, nodeId)) return Promise.resolve();
  const sleepers = sleeping.get(group) ?? new Set();
  sleeping.set(group, sleepers);
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      sleepers.delete(wake);
      resolve();
    };
    const timer = setTimeout(wake, group.maxWaitTime);
    sleepers.add(wake);
  });
}
