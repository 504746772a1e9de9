import type {
  CommittedOffset,
  ConsumerDriver,
  DriverListener,
  FetchedMessage,
  OffsetCommit,
  TopicOffsets,
  TopicPartition,
} from '../consumer/consumer-driver.js';
import { partitionName } from '../consumer/consumer-driver.js';
import type { IHeaders } from '../records.js';

/** The broker's side of one consumer group, in memory: it outlives drivers, as the broker outlives processes. */
export class SimulatedBroker {
  readonly commits = new Map<string, { offset: number; metadata: string }>();

  /** @param logs of the broker that another group reads. */
  constructor(readonly logs = new Map<string, FetchedMessage[]>()) {}

  /** @param key null: a record without a key. An offset can be skipped to leave a gap. */
  append(
    at: TopicPartition,
    key: string | null,
    value: string | null,
    gap = 0,
    headers: IHeaders = {},
    timestampMs?: number,
  ): number {
    const name = partitionName(at);
    const log = this.logs.get(name) ?? [];
    this.logs.set(name, log);
    const offset = (log.length > 0 ? Number(log[log.length - 1]?.offset) + 1 : 0) + gap;
    log.push({
      offset: String(offset),
      timestamp: String(timestampMs ?? offset),
      key: key === null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      headers,
    });
    return offset;
  }
}

/** A driver whose every step the test takes. */
export class SimulatedDriver implements ConsumerDriver {
  readonly paused = new Set<string>();
  private readonly positions = new Map<string, number>();
  /** A seek while a batch is handed over wins over what the listener returns. */
  private readonly sought = new Set<string>();
  protected assigned: readonly TopicPartition[] = [];
  protected listener: DriverListener | undefined;
  /** Until then the group takes us for a member; undefined: for ever. */
  sessionEnds: number | undefined;
  /** Set to make commits fail. */
  commitFailure: Error | undefined;
  commitRequests: OffsetCommit[][] = [];

  constructor(readonly broker: SimulatedBroker) {}

  async start(listener: DriverListener): Promise<void> {
    this.listener = listener;
  }

  /** A join: the listener drains, then gets its partitions. */
  async assign(partitions: readonly TopicPartition[], isUnbroken = false, asNewMember = false): Promise<void> {
    await this.listener?.beforeJoin({ asNewMember });
    this.take(partitions, isUnbroken);
  }

  protected take(partitions: readonly TopicPartition[], isUnbroken: boolean): void {
    this.assigned = partitions;
    this.positions.clear();
    for (const at of partitions)
      this.positions.set(partitionName(at), this.broker.commits.get(partitionName(at))?.offset ?? 0);
    this.listener?.onAssigned({ partitions, isUnbroken });
  }

  /** Fetches up to `max` records of each partition that is not paused. @returns how many were taken over. */
  fetch(max = 100): number {
    let taken = 0;
    for (const at of this.assigned) {
      const name = partitionName(at);
      if (this.paused.has(name)) continue;
      const fetchedFrom = this.positions.get(name) ?? 0;
      const log = this.broker.logs.get(name) ?? [];
      const messages = log.filter(({ offset }) => Number(offset) >= fetchedFrom).slice(0, max);
      if (messages.length === 0) continue;
      const nextOffset = Number(messages[messages.length - 1]?.offset) + 1;
      this.sought.delete(name);
      const next = this.listener?.onBatch({ ...at, fetchedFrom, nextOffset, messages }) ?? fetchedFrom;
      taken += messages.filter(({ offset }) => Number(offset) < next).length;
      if (!this.sought.has(name)) this.positions.set(name, Math.max(fetchedFrom, next));
    }
    return taken;
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const at of partitions) this.paused.add(partitionName(at));
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const at of partitions) this.paused.delete(partitionName(at));
  }

  seek(at: TopicPartition, offset: number): void {
    this.sought.add(partitionName(at));
    this.positions.set(partitionName(at), offset);
  }

  sessionEndsAtMs(): number | undefined {
    return this.sessionEnds;
  }

  /** The group answers that we are a member, for so long from now. */
  heartbeat(sessionEnds: number): void {
    this.sessionEnds = sessionEnds;
    this.listener?.onHeartbeat?.();
  }

  async commit(offsets: readonly OffsetCommit[]): Promise<void> {
    this.store(offsets);
  }

  protected store(offsets: readonly OffsetCommit[]): void {
    if (this.commitFailure) throw this.commitFailure;
    this.commitRequests.push([...offsets]);
    for (const { topic, partition, offset, metadata } of offsets) {
      if (!this.assigned.some((at) => at.topic === topic && at.partition === partition)) {
        throw new Error(`commit of ${topic}:${partition}, which is not assigned`);
      }
      this.broker.commits.set(`${topic}:${partition}`, { offset, metadata });
    }
  }

  async committed(topics: readonly string[]): Promise<CommittedOffset[]> {
    return this.assigned
      .filter(({ topic }) => topics.includes(topic))
      .map((at) => {
        const commit = this.broker.commits.get(partitionName(at));
        return { ...at, offset: commit?.offset, metadata: commit?.metadata ?? '' };
      });
  }

  async offsets(topics: readonly string[]): Promise<TopicOffsets[]> {
    return this.assigned
      .filter(({ topic }) => topics.includes(topic))
      .map((at) => {
        const last = this.broker.logs.get(partitionName(at))?.at(-1);
        return { ...at, low: 0, high: last ? Number(last.offset) + 1 : 0 };
      });
  }

  async stop(): Promise<void> {
    this.assigned = [];
  }
}
