import type { Consumer } from 'kafkajs';
import type { KafkaClient } from '../connection/client.js';
import { decodeCompletionMap, emptyCompletionMap } from '../consumer/completion-map.js';
import type { GroupOffset, TopicAdmin } from './topic-admin.js';

/** A committed offset whose completion map nobody can read: its partition stands still until somebody decides. */
export interface UnreadableOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string;
  readonly reason: string;
}

export class OffsetsNotAccepted extends Error {
  override readonly name = 'OffsetsNotAccepted';
}

const joinedWithinMs = 30_000;

export function unreadableAmong(offsets: readonly GroupOffset[]): UnreadableOffset[] {
  return offsets.flatMap(({ topic, partition, offset, metadata }) => {
    if (offset === undefined) return [];
    try {
      decodeCompletionMap(offset, metadata);
      return [];
    } catch (error) {
      return [{ topic, partition, offset, metadata, reason: (error as Error).message }];
    }
  });
}

/**
 * Commits these offsets once more, with a map that says that nothing above them is finished. Only a member may commit metadata, so
 * this joins the group for a moment, which must be empty.
 * @throws OffsetsNotAccepted when somebody else is in the group.
 */
export async function acceptOffsets(
  client: KafkaClient,
  admin: Pick<TopicAdmin, 'group'>,
  group: string,
  offsets: readonly Pick<UnreadableOffset, 'topic' | 'partition' | 'offset'>[],
): Promise<void> {
  if (offsets.length === 0) return;
  await refuseMembers(admin, group, 0);
  const consumer = client.newConsumer({ groupId: group, allowAutoTopicCreation: false });
  await consumer.connect();
  try {
    await join(consumer, [...new Set(offsets.map(({ topic }) => topic))]);
    // Whoever joined meanwhile may have begun to work on what the offsets say now.
    await refuseMembers(admin, group, 1);
    await consumer.commitOffsets(
      offsets.map(({ topic, partition, offset }) => ({
        topic,
        partition,
        offset: String(offset),
        metadata: emptyCompletionMap,
      })),
    );
  } finally {
    await consumer.disconnect();
  }
}

async function refuseMembers(admin: Pick<TopicAdmin, 'group'>, group: string, expected: number): Promise<void> {
  const { members, state } = await admin.group(group);
  if (members <= expected) return;
  throw new OffsetsNotAccepted(
    `group ${group} has ${members - expected} members (${state}): stop the service first, all of its instances`,
  );
}

async function join(consumer: Consumer, topics: string[]): Promise<void> {
  const joined = Promise.withResolvers<void>();
  consumer.on('consumer.group_join', () => {
    // Nothing is read: what is fetched is for the service.
    consumer.pause(topics.map((topic) => ({ topic })));
    joined.resolve();
  });
  consumer.on('consumer.crash', ({ payload }) => joined.reject(payload.error));
  const timer = setTimeout(
    () => joined.reject(new OffsetsNotAccepted(`the group did not let us in within ${joinedWithinMs / 1000} s`)),
    joinedWithinMs,
  );
  try {
    await consumer.subscribe({ topics, fromBeginning: true });
    const running = consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async () => undefined,
    });
    await Promise.all([running, joined.promise]);
  } finally {
    clearTimeout(timer);
  }
}
