import type { TopicDefinition } from '@tributary/contracts';
import kafkajs, { type Admin } from 'kafkajs';
import type { KafkaClient } from '../connection/client.js';
import { isCoordinatorMissing, isUnknownTopic, protocolErrorType } from '../connection/kafka-errors.js';
import { planTopics, type TopicPlan, type TopicPlanOptions, type TopicState } from './topic-plan.js';

export interface PartitionRange {
  readonly partition: number;
  /** First offset that is retained. */
  readonly low: number;
  /** Offset of the next record. */
  readonly high: number;
}

export interface GroupOffset {
  readonly topic: string;
  readonly partition: number;
  /** Undefined: nothing was committed. */
  readonly offset: number | undefined;
  /** The completion map; see `decodeCompletionMap`. */
  readonly metadata: string;
}

/** Looks at topics and groups and creates topics that are missing. Connects when first asked; `close` it. */
export class TopicAdmin {
  private connecting: Promise<Admin> | undefined;

  constructor(private readonly client: KafkaClient) {}

  /** The topics of the catalogue that exist, by name. */
  async describe(catalogue: readonly TopicDefinition[]): Promise<Map<string, TopicState>> {
    const admin = await this.connected();
    const existing = new Set(await admin.listTopics());
    const names = catalogue.map(({ name }) => name).filter((name) => existing.has(name));
    if (names.length === 0) return new Map();
    const { topics } = await admin.fetchTopicMetadata({ topics: names });
    const configs = await this.configsOf(admin, names);
    return new Map(
      topics.map(({ name, partitions }) => [
        name,
        {
          name,
          partitions: partitions.length,
          replication: partitions[0]?.replicas.length ?? 0,
          configs: configs.get(name) ?? {},
        },
      ]),
    );
  }

  async plan(catalogue: readonly TopicDefinition[], options: TopicPlanOptions = {}): Promise<TopicPlan> {
    return planTopics(catalogue, await this.describe(catalogue), options);
  }

  /** Creates what the plan says and waits until every new topic can be written. */
  async apply({ create }: TopicPlan): Promise<void> {
    if (create.length === 0) return;
    const admin = await this.connected();
    await admin.createTopics({
      waitForLeaders: false,
      timeout: 30_000,
      topics: create.map(({ topic, partitions, replication, configs }) => ({
        topic: topic.name,
        numPartitions: partitions,
        replicationFactor: replication,
        configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
      })),
    });
    await untilLed(
      admin,
      create.map(({ topic }) => topic.name),
    );
  }

  /** Creates one topic outside the catalogue: for benchmarks and tests. */
  async create(topic: string, partitions: number): Promise<void> {
    await (await this.connected()).createTopics({
      waitForLeaders: true,
      topics: [{ topic, numPartitions: partitions }],
    });
  }

  /** @returns undefined when the topic does not exist. */
  async offsets(topic: string): Promise<PartitionRange[] | undefined> {
    const admin = await this.connected();
    try {
      const ranges = await admin.fetchTopicOffsets(topic);
      return ranges
        .map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }))
        .sort((a, b) => a.partition - b.partition);
    } catch (error) {
      if (isUnknownTopic(error)) return undefined;
      throw error;
    }
  }

  async groupOffsets(group: string, topics: readonly string[]): Promise<GroupOffset[]> {
    const admin = await this.connected();
    const answer = await untilCoordinated(() => admin.fetchOffsets({ groupId: group, topics: [...topics] }));
    return answer.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset, metadata }) => ({
        topic,
        partition,
        offset: Number(offset) < 0 ? undefined : Number(offset),
        metadata: metadata ?? '',
      })),
    );
  }

  /** Offsets of the first record at or after a time, by partition; the end where there is none. */
  async offsetsAt(topic: string, timeMs: number): Promise<Map<number, number>> {
    const admin = await this.connected();
    const found = await admin.fetchTopicOffsetsByTimestamp(topic, timeMs);
    return new Map(found.map(({ partition, offset }) => [partition, Number(offset)]));
  }

  async cluster(): Promise<{ readonly cluster: string; readonly brokers: number }> {
    const { clusterId, brokers } = await (await this.connected()).describeCluster();
    return { cluster: clusterId, brokers: brokers.length };
  }

  async group(group: string): Promise<{ readonly state: string; readonly members: number }> {
    const { groups } = await (await this.connected()).describeGroups([group]);
    return { state: groups[0]?.state ?? 'Unknown', members: groups[0]?.members.length ?? 0 };
  }

  async close(): Promise<void> {
    const connecting = this.connecting;
    this.connecting = undefined;
    // One that never connected holds nothing.
    const admin = await connecting?.catch(() => undefined);
    await admin?.disconnect();
  }

  /** Calls at the same time share one connection. */
  private connected(): Promise<Admin> {
    this.connecting ??= this.connect().catch((error) => {
      this.connecting = undefined;
      throw error;
    });
    return this.connecting;
  }

  private async connect(): Promise<Admin> {
    const admin = this.client.newAdmin();
    await admin.connect();
    return admin;
  }

  private async configsOf(admin: Admin, names: readonly string[]): Promise<Map<string, Record<string, string>>> {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: names.map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
    });
    return new Map(
      resources.map(({ resourceName, configEntries }) => [
        resourceName,
        Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
      ]),
    );
  }
}

const coordinatedWithinMs = 15_000;
const coordinatorMoves = new Set([
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
]);

/** The coordinator of a group is elected, loading or elsewhere for a moment on a young cluster and after a broker went. */
async function untilCoordinated<T>(ask: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + coordinatedWithinMs; ; ) {
    try {
      return await ask();
    } catch (error) {
      const isPassing = coordinatorMoves.has(protocolErrorType(error) ?? '') || isCoordinatorMissing(error);
      if (!isPassing || Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
}

const ledWithinMs = 30_000;
const lookAgainMs = 100;

/**
 * Waits until every partition of these topics has a leader. kafkajs' own wait gives up at the first broker that has not heard of a
 * topic yet, which is ordinary right after the controller made it.
 * @throws Error naming the topic that has none in time.
 */
async function untilLed(admin: Admin, names: readonly string[]): Promise<void> {
  const deadline = Date.now() + ledWithinMs;
  for (const name of names) {
    for (;;) {
      const reason = await whyNotLed(admin, name);
      if (reason === undefined) break;
      if (Date.now() > deadline) throw new Error(`topic ${name} was created and cannot be used: ${reason}`);
      await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
    }
  }
}

async function whyNotLed(admin: Admin, name: string): Promise<string | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
    const partitions = topics[0]?.partitions ?? [];
    if (partitions.length === 0 || partitions.some(({ leader }) => leader < 0)) return 'a partition has no leader';
    // The metadata may name a leader that does not know of it yet; one that tells its offsets does.
    await admin.fetchTopicOffsets(name);
    return undefined;
  } catch (error) {
    const reason = protocolErrorType(error);
    if (reason === undefined) throw error;
    return reason;
  }
}
