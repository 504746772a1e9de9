import {
  type Admin,
  type Consumer,
  type ConsumerGroupJoinEvent,
  type EachBatchPayload,
  type PartitionAssigner,
  PartitionAssigners,
} from 'kafkajs';
import type { KafkaClient } from '../connection/client.js';
import { type Clock, sleep } from '../connection/clock.js';
import { isCoordinatorMissing, isUnknownTopic } from '../connection/kafka-errors.js';
import { defaultFetchSpacing, type FetchSpacing, spaceFetches } from '../connection/kafkajs-fetch-spacing.js';
import { errorFields, type Logger } from '../connection/logger.js';
import type {
  CommittedOffset,
  ConsumerDriver,
  DriverListener,
  FetchedMessage,
  OffsetCommit,
  TopicOffsets,
  TopicPartition,
} from './consumer-driver.js';
import { type CoordinatedCluster, GroupSession } from './group-session.js';
import type { RuntimeObserver } from './runtime-options.js';
import { nothingOwned, stickyAssigner } from './sticky-assigner.js';

export interface KafkaJsDriverOptions {
  readonly client: KafkaClient;
  readonly group: string;
  readonly topics: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxBytesPerPartition?: number;
  /** A fetch is answered when the broker has so many, or after `maxWaitMs`. */
  readonly minBytes?: number;
  readonly fetchSpacing?: FetchSpacing;
  readonly observer?: Pick<RuntimeObserver, 'polled' | 'consumed'>;
  /** The same partition number of all topics goes to one member, which keeps it. All members of the group must say so. */
  readonly pairsTopics?: boolean;
}

export const sessionTimeoutMs = 10_000;
export const heartbeatIntervalMs = 2_000;
const rebalanceTimeoutMs = 30_000;
/** Also the pause of the client's loop while all partitions are paused, so it bounds how late a resume is noticed. */
const maxWaitMs = 250;
/** Decoded in one go, while nothing else runs. A larger record is fetched nevertheless. */
const defaultMaxBytesPerPartition = 512 * 1024;
const retryPauseMs = 500;
/** The answer to a heartbeat is later than the moment from which the broker counts. */
const leaseMarginMs = 1_000;

/** kafkajs behind the port. `eachBatch` only hands over and returns; nothing but heartbeat errors leaves it. */
export class KafkaJsDriver implements ConsumerDriver {
  private readonly consumer: Consumer;
  private readonly stopping = new AbortController();
  private admin: Admin | undefined;
  private listener: DriverListener | undefined;
  private readonly session: GroupSession;
  private owned = nothingOwned;
  /** Between a join and a crash. */
  private isRunning = false;
  /** When the group last answered that we are a member. */
  private confirmedAtMs: number | undefined;

  constructor(private readonly options: KafkaJsDriverOptions) {
    this.session = new GroupSession({ ...options, beforeJoin: async (join) => this.listener?.beforeJoin(join) });
    this.consumer = options.client.newConsumer({
      groupId: options.group,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatIntervalMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      maxWaitTimeInMs: maxWaitMs,
      minBytes: options.minBytes ?? 1,
      maxBytesPerPartition: options.maxBytesPerPartition ?? defaultMaxBytesPerPartition,
      allowAutoTopicCreation: false,
      partitionAssigners: [
        this.watchedAssigner(options.pairsTopics ? stickyAssigner(() => this.owned) : PartitionAssigners.roundRobin),
      ],
      retry: { retries: 8, initialRetryTime: 100, maxRetryTime: 1_000, restartOnFailure: async () => true },
    });
  }

  async start(listener: DriverListener): Promise<void> {
    this.listener = listener;
    this.consumer.on('consumer.group_join', ({ payload }) => this.onJoin(payload));
    this.consumer.on('consumer.heartbeat', () => this.onHeartbeat());
    this.watchFetches();
    this.consumer.on('consumer.crash', ({ payload: { error, restart } }) => this.onCrash(error, restart));
    const topics = [...this.options.topics];
    await this.untilSuccess('connect', () => this.consumer.connect());
    await this.untilSuccess('subscribe', () => this.consumer.subscribe({ topics, fromBeginning: true }));
    await this.run();
  }

  private async run(): Promise<void> {
    if (this.stopping.signal.aborted) return;
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => this.onBatch(payload),
    });
  }

  private async runAgain(): Promise<void> {
    await sleep(this.options.clock, retryPauseMs, this.stopping.signal);
    await this.untilSuccess('connect', () => this.consumer.connect());
    await this.run();
  }

  pause(partitions: readonly TopicPartition[]): void {
    if (partitions.length > 0) this.whileRunning(() => this.consumer.pause(byTopic(partitions)));
  }

  resume(partitions: readonly TopicPartition[]): void {
    if (partitions.length > 0) this.whileRunning(() => this.consumer.resume(byTopic(partitions)));
  }

  seek({ topic, partition }: TopicPartition, offset: number): void {
    this.whileRunning(() => this.consumer.seek({ topic, partition, offset: String(offset) }));
  }

  async commit(offsets: readonly OffsetCommit[]): Promise<void> {
    const topics = groupByTopic(offsets).map(([topic, partitions]) => ({
      topic,
      partitions: partitions.map(({ partition, offset, metadata }) => ({
        partition,
        offset: String(offset),
        metadata,
      })),
    }));
    await this.session.commit(topics);
  }

  async committed(topics: readonly string[]): Promise<CommittedOffset[]> {
    const admin = await this.connectedAdmin();
    try {
      const answer = await admin.fetchOffsets({ groupId: this.options.group, topics: [...topics] });
      return answer.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset, metadata }) => ({
          topic,
          partition,
          offset: Number(offset) < 0 ? undefined : Number(offset),
          metadata: metadata ?? '',
        })),
      );
    } catch (error) {
      await this.dropAdmin();
      throw error;
    }
  }

  async offsets(topics: readonly string[]): Promise<TopicOffsets[]> {
    const admin = await this.connectedAdmin();
    try {
      const answers = await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)));
      return answers.flatMap((answer, i) =>
        answer.map(({ partition, low, high }) => ({
          topic: topics[i] as string,
          partition,
          low: Number(low),
          high: Number(high),
        })),
      );
    } catch (error) {
      await this.dropAdmin();
      throw error;
    }
  }

  sessionEndsAtMs(): number | undefined {
    return this.confirmedAtMs === undefined ? undefined : this.confirmedAtMs + sessionTimeoutMs - leaseMarginMs;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.session.beginStop();
    await this.dropAdmin();
    // Else the client does.
    if (!this.isRunning) await this.session.leave();
    await this.consumer.disconnect();
  }

  private async onBatch(payload: EachBatchPayload): Promise<void> {
    const { batch, resolveOffset, heartbeat, isRunning, isStale } = payload;
    if (!isRunning() || isStale()) return;
    const fetchedFrom = Number((batch as { fetchedOffset?: string }).fetchedOffset ?? batch.firstOffset() ?? 0);
    const taken = this.handOver({
      topic: batch.topic,
      partition: batch.partition,
      fetchedFrom,
      nextOffset: Number(batch.lastOffset()) + 1,
      messages: batch.messages as readonly FetchedMessage[],
    });
    if (taken > fetchedFrom) resolveOffset(String(taken - 1));
    this.noteConsumed(batch, taken);
    await heartbeat();
  }

  /** kafkajs measures each fetch anyway, for whoever listens. */
  private watchFetches(): void {
    const { group, observer } = this.options;
    if (!observer?.polled) return;
    const onPolled = observer.polled.bind(observer);
    this.consumer.on('consumer.fetch', ({ payload: { duration } }) => onPolled({ group, durationMs: duration }));
  }

  /** What was not taken over is fetched again, and counted then. */
  private noteConsumed(batch: EachBatchPayload['batch'], taken: number): void {
    const { group, observer } = this.options;
    if (!observer?.consumed) return;
    const { topic, messages } = batch;
    const isWhole = taken > Number(batch.lastOffset());
    const records = isWhole ? messages.length : messages.filter(({ offset }) => Number(offset) < taken).length;
    if (records > 0) observer.consumed({ group, topic, records });
  }

  // An error that left `eachBatch` would end or restart the consumer without a word, so a mistake of ours ends the process.
  private handOver(batch: Parameters<DriverListener['onBatch']>[0]): number {
    try {
      return this.listener?.onBatch(batch) ?? batch.fetchedFrom;
    } catch (error) {
      this.listener?.onFatal(error as Error);
      return batch.fetchedFrom;
    }
  }

  private onHeartbeat(): void {
    this.confirmedAtMs = this.options.clock.now();
    this.listener?.onHeartbeat?.();
  }

  private onJoin({ memberAssignment }: ConsumerGroupJoinEvent['payload']): void {
    const isUnbroken = this.session.assigned();
    this.isRunning = true;
    this.confirmedAtMs = this.options.clock.now();
    const partitions = Object.entries(memberAssignment).flatMap(([topic, numbers]) =>
      numbers.map((partition) => ({ topic, partition })),
    );
    const [first] = this.options.topics;
    this.owned = {
      partitions: (first !== undefined && memberAssignment[first]) || [],
      sinceMs: this.options.clock.now(),
    };
    this.listener?.onAssigned({ partitions, isUnbroken });
  }

  private onCrash(error: Error, restarts: boolean): void {
    if (this.stopping.signal.aborted) return;
    this.isRunning = false;
    const line = { ...errorFields(error), group: this.options.group };
    if (restarts) {
      this.options.logger.warn(line, 'consumer.restarting');
      return;
    }
    if (isCoordinatorMissing(error)) {
      this.options.logger.warn(line, 'consumer.waits-for-coordinator');
      this.runAgain().catch((failure: Error) => this.listener?.onFatal(failure));
      return;
    }
    this.options.logger.error(line, 'consumer.crashed');
    this.listener?.onFatal(error);
  }

  /** An assigner is the only part of ours that is given kafkajs' cluster object. */
  private watchedAssigner(inner: PartitionAssigner): PartitionAssigner {
    return (config) => {
      this.session.watch(config.cluster as unknown as CoordinatedCluster);
      spaceFetches(config.cluster, this.options.fetchSpacing ?? defaultFetchSpacing);
      return inner(config);
    };
  }

  /** kafkajs refuses these calls while it is between two runs; the next join states all of it again. */
  private whileRunning(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.options.logger.debug(errorFields(error), 'consumer.not-running');
    }
  }

  private async connectedAdmin(): Promise<Admin> {
    if (!this.admin) {
      const admin = this.options.client.newAdmin();
      await admin.connect();
      this.admin = admin;
    }
    return this.admin;
  }

  private async dropAdmin(): Promise<void> {
    const { admin } = this;
    this.admin = undefined;
    try {
      await admin?.disconnect();
    } catch (error) {
      this.options.logger.debug(errorFields(error), 'consumer.admin-disconnect-failed');
    }
  }

  private async untilSuccess(what: string, act: () => Promise<void>): Promise<void> {
    for (let tries = 1; !this.stopping.signal.aborted; tries++) {
      try {
        return await act();
      } catch (error) {
        const line = { ...errorFields(error), what, group: this.options.group, topics: this.options.topics };
        if (tries === 1 || tries % 60 === 0) this.options.logger.warn(line, waitingFor(error));
        else this.options.logger.debug(line, waitingFor(error));
      }
      await sleep(this.options.clock, retryPauseMs, this.stopping.signal);
    }
  }
}

const waitingFor = (error: unknown): string =>
  isUnknownTopic(error)
    ? 'consumer.waits-for-topic: create it with `tributary topics apply`'
    : 'consumer.waits-for-kafka';

function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  return groupByTopic(partitions).map(([topic, group]) => ({ topic, partitions: group.map((at) => at.partition) }));
}

function groupByTopic<T extends TopicPartition>(items: readonly T[]): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(item.topic);
    if (group) group.push(item);
    else groups.set(item.topic, [item]);
  }
  return [...groups];
}
