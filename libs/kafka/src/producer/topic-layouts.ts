import type { Admin } from 'kafkajs';
import type { KafkaClient } from '../connection/client.js';
import { isUnknownTopic } from '../connection/kafka-errors.js';

export interface TopicLayout {
  readonly partitions: number;
  /** Node id of each partition's leader, by partition. */
  readonly leaders: readonly number[];
}

const missingForMs = 1_000;

/** Partition counts and leaders of the topics a producer writes. */
export class TopicLayouts {
  private readonly known = new Map<string, TopicLayout>();

  private readonly missing = new Map<string, number>();

  constructor(private readonly client: KafkaClient) {}

  get(topic: string): TopicLayout | undefined {
    return this.known.get(topic);
  }

  noteMissing(topic: string, nowMs: number): void {
    this.missing.set(topic, nowMs);
  }

  /** True for a short while after the cluster said so: writers of a missing topic must not make us ask for each record. */
  isMissing(topic: string, nowMs: number): boolean {
    if (this.missing.size === 0) return false;
    const since = this.missing.get(topic);
    if (since === undefined) return false;
    if (nowMs - since < missingForMs) return true;
    this.missing.delete(topic);
    return false;
  }

  /** Leaders may have moved: the next `load` asks again. */
  forget(): void {
    this.known.clear();
  }

  /**
   * Asks the cluster for these topics.
   * @returns those that do not exist.
   * @throws when the cluster does not answer.
   */
  async load(topics: readonly string[]): Promise<string[]> {
    const admin = this.client.newAdmin();
    await admin.connect();
    try {
      const unknown: string[] = [];
      for (const topic of topics) if (!(await this.loadOne(admin, topic))) unknown.push(topic);
      return unknown;
    } finally {
      await admin.disconnect();
    }
  }

  private async loadOne(admin: Admin, topic: string): Promise<boolean> {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const leaders: number[] = [];
      for (const { partitionId, leader } of topics[0]?.partitions ?? []) leaders[partitionId] = leader;
      if (leaders.length > 0) this.known.set(topic, { partitions: leaders.length, leaders });
      return leaders.length > 0;
    } catch (error) {
      if (isUnknownTopic(error)) return false;
      throw error;
    }
  }
}
