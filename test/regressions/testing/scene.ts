import { deadLetterTopicOf, defineTopic, retryTopicOf, type TopicDefinition } from '@tributary/contracts';
import type { Settlement } from '@tributary/domain';
import { ConsumerRuntime } from '../../../libs/kafka/src/consumer/consumer-runtime.js';
import type { Attempt, ConsumeOptions, RuntimeObserver } from '../../../libs/kafka/src/consumer/runtime-options.js';
import type { IHeaders, IncomingRecord, OutgoingRecord } from '../../../libs/kafka/src/records.js';
import { silentLogger } from '../../../libs/kafka/src/testing/silent-logger.js';
import { SimulatedBroker, SimulatedDriver } from '../../../libs/kafka/src/testing/simulated-driver.js';
import { settled, VirtualClock } from '../../../libs/kafka/src/testing/virtual-clock.js';

export const main = defineTopic({
  name: 'main',
  records: [],
  key: 'any',
  owner: 'tests',
  partitions: 4,
  purpose: 'A test.',
});

export const refusal = { errorClass: 'rejected', reason: 'no' } as const;
export const outage = { errorClass: 'unavailable', reason: 'down' } as const;
export const delivered: Settlement = { to: 'commit' };
export const textOf = (record: IncomingRecord): string => String(record.value);

export type Handler = (record: IncomingRecord, attempt: Attempt) => Promise<Settlement>;

/** One attempt, as the receiver saw it. */
export interface Seen {
  readonly value: string;
  readonly key: string;
  readonly number: number;
  readonly atMs: number;
  readonly topic: string;
}

export interface Wishes {
  readonly handler: Handler;
  readonly options?: Partial<ConsumeOptions>;
  /** False: long waits are held in memory. Default: a retry topic. */
  readonly retries?: boolean;
  readonly observer?: RuntimeObserver;
  /** Name of the group, where several read the topic: then it is in the names of its retry and dead-letter topics. */
  readonly group?: string;
  /** The broker of another scene. */
  readonly broker?: SimulatedBroker;
}

/** A group of one member on a simulated broker; the member can die or leave, and the next one takes its place. */
export class Scene {
  readonly broker: SimulatedBroker;
  readonly retry: TopicDefinition;
  readonly clock = new VirtualClock();
  readonly seen: Seen[] = [];
  readonly dead: OutgoingRecord[] = [];
  readonly fatal: Error[] = [];
  driver: SimulatedDriver;
  runtime: ConsumerRuntime;
  private life = 0;

  constructor(private readonly wishes: Wishes) {
    this.broker = wishes.broker ?? new SimulatedBroker();
    this.retry = retryTopicOf(main, wishes.group);
    this.driver = new SimulatedDriver(this.broker);
    this.runtime = this.newMember();
  }

  get values(): string[] {
    return this.seen.map(({ value }) => value);
  }

  /** What lies in the retry topic of a partition. */
  parked(partition = 0) {
    return this.broker.logs.get(`${this.retry.name}:${partition}`) ?? [];
  }

  committed(partition = 0): number | undefined {
    return this.broker.commits.get(`${main.name}:${partition}`)?.offset;
  }

  append(key: string | null, value: string | null, partition = 0, headers: IHeaders = {}): void {
    this.broker.append({ topic: main.name, partition }, key, value, 0, headers, this.clock.now());
  }

  appendToRetry(key: string, value: string, headers: IHeaders, partition = 0): void {
    this.broker.append({ topic: this.retry.name, partition }, key, value, 0, headers, this.clock.now());
  }

  /** The group gives these partitions to the member. The drain before takes its time. */
  async assign(partitions: readonly number[], isUnbroken = false): Promise<void> {
    const joining = this.driver.assign(this.assignmentOf(partitions), isUnbroken);
    await this.clock.advance(8_000);
    await joining;
    await settled();
  }

  /** As `assign` after something was missed, but the test lets the time pass. */
  join(partitions: readonly number[], asNewMember: boolean): Promise<void> {
    return this.driver.assign(this.assignmentOf(partitions), false, asNewMember);
  }

  private assignmentOf(partitions: readonly number[]) {
    const topics = this.wishes.retries === false ? [main] : [main, this.retry];
    return partitions.flatMap((partition) => topics.map(({ name }) => ({ topic: name, partition })));
  }

  /** Time passes; the client fetches all along. */
  async run(ms: number, stepMs = 250): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.driver.fetch();
      await this.clock.advance(Math.min(stepMs, ms - passed));
    }
  }

  /** kill -9; another process takes the partitions. */
  async crash(partitions: readonly number[]): Promise<void> {
    this.life += 1;
    this.runtime.onAssigned({ partitions: [], isUnbroken: false });
    this.driver = new SimulatedDriver(this.broker);
    this.runtime = this.newMember();
    await this.assign(partitions);
  }

  /** A planned stop; another process takes the partitions. */
  async handOver(partitions: readonly number[]): Promise<void> {
    const stopping = this.runtime.stop({ deadlineMs: 5_000 });
    await this.clock.advance(8_000);
    await stopping;
    this.life += 1;
    this.driver = new SimulatedDriver(this.broker);
    this.runtime = this.newMember();
    await this.assign(partitions);
  }

  private newMember(): ConsumerRuntime {
    const { life } = this;
    const runtime = new ConsumerRuntime({
      driver: this.driver,
      producer: { send: (record) => this.send(record) },
      topics: this.wishes.retries === false ? [main] : [main, this.retry],
      options: {
        group: this.wishes.group ?? 'tests',
        deadLetterTopic: deadLetterTopicOf(main, this.wishes.group),
        ...(this.wishes.retries !== false && { retries: { topic: this.retry } }),
        ...this.wishes.options,
      },
      handler: (record, attempt) => (life === this.life ? this.attempt(record, attempt) : new Promise(() => {})),
      logger: silentLogger,
      clock: this.clock,
      ...(this.wishes.observer && { observer: this.wishes.observer }),
      onFatal: (error) => void this.fatal.push(error),
    });
    void runtime.start();
    return runtime;
  }

  private attempt(record: IncomingRecord, attempt: Attempt): Promise<Settlement> {
    const { topic } = record;
    this.seen.push({
      value: textOf(record),
      key: String(record.key),
      number: attempt.number,
      atMs: this.clock.now(),
      topic,
    });
    return this.wishes.handler(record, attempt);
  }

  private async send(record: OutgoingRecord) {
    const partition = record.partition ?? 0;
    if (record.topic !== this.retry.name) this.dead.push(record);
    const key = record.key === null ? null : String(record.key);
    const at = { topic: record.topic, partition };
    const headers = { ...record.headers };
    const offset = this.broker.append(
      at,
      key,
      record.value === null ? null : String(record.value),
      0,
      headers,
      this.clock.now(),
    );
    return { ...at, offset: BigInt(offset) };
  }
}

/** A scene whose member owns the partitions. */
export async function scene(wishes: Wishes, partitions: readonly number[] = [0]): Promise<Scene> {
  const made = new Scene(wishes);
  await made.assign(partitions);
  return made;
}
