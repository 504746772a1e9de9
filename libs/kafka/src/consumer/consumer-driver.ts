import type { IHeaders } from '../records.js';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A record as the client hands it over; nothing is decoded. */
export interface FetchedMessage {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: IHeaders;
  /** Of key and value; absent: they are measured. */
  readonly payloadBytes?: number;
}

export interface FetchedBatch extends TopicPartition {
  /** Offset that was asked for. */
  readonly fetchedFrom: number;
  /** One past the last offset this batch covers, control records and gaps included. */
  readonly nextOffset: number;
  readonly messages: readonly FetchedMessage[];
}

export interface Assignment {
  readonly partitions: readonly TopicPartition[];
  /** True when this member saw every generation since the last assignment: what it keeps, nobody else owned in between. */
  readonly isUnbroken: boolean;
}

export interface OffsetCommit extends TopicPartition {
  /** The first offset that is not finished. */
  readonly offset: number;
  readonly metadata: string;
}

export interface CommittedOffset extends TopicPartition {
  /** Undefined: nothing was committed. */
  readonly offset: number | undefined;
  readonly metadata: string;
}

/** What a partition holds. */
export interface TopicOffsets extends TopicPartition {
  readonly low: number;
  /** One past the last offset. */
  readonly high: number;
}

/** About to be made. */
export interface Join {
  /** The client has started again and forgot who it was: no membership of its own ends while the join waits. */
  readonly asNewMember: boolean;
}

/** What the runtime hears from the driver. None of these may throw. */
export interface DriverListener {
  /** @returns one past the last offset taken over; `fetchedFrom` when nothing was taken. The rest is fetched again. */
  onBatch(batch: FetchedBatch): number;
  /** Called before each (re)join, which waits for it: the time to finish and commit what is in flight. */
  beforeJoin(join: Join): Promise<void>;
  onAssigned(assignment: Assignment): void;
  /** The group confirmed that we are a member. */
  onHeartbeat?(): void;
  /** The client stopped and will not come back by itself. */
  onFatal(error: Error): void;
}

/** The Kafka client as this runtime needs it: fetch, commit, pause, group events. */
export interface ConsumerDriver {
  /** Resolves when consuming has begun; waits for a cluster that is down. */
  start(listener: DriverListener): Promise<void>;
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /** The next fetch of the partition starts there. */
  seek(partition: TopicPartition, offset: number): void;
  /** All in one request, under the generation of the moment of the call. Never repeated by the driver. */
  commit(offsets: readonly OffsetCommit[]): Promise<void>;
  committed(topics: readonly string[]): Promise<CommittedOffset[]>;
  /** What the partitions of the topics hold now. */
  offsets(topics: readonly string[]): Promise<TopicOffsets[]>;
  /** Epoch milliseconds until which the group surely takes us for a member; undefined: not known. */
  sessionEndsAtMs?(): number | undefined;
  /** Leaves the group and disconnects. */
  stop(): Promise<void>;
}

export const partitionName = ({ topic, partition }: TopicPartition): string => `${topic}:${partition}`;
