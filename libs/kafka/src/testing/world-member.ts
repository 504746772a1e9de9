import { deadLetterTopicOf, defineTopic, retryTopicOf } from '@tributary/contracts';
import type { Settlement } from '@tributary/domain';
import { sleep } from '../connection/clock.js';
import type { OffsetCommit, TopicPartition } from '../consumer/consumer-driver.js';
import { ConsumerRuntime } from '../consumer/consumer-runtime.js';
import type { PlantedBug } from '../consumer/retry/retry-rules.js';
import type { ConsumeOptions, TakeoverTimes } from '../consumer/runtime-options.js';
import type { IncomingRecord, OutgoingRecord, RecordPosition } from '../records.js';
import { places } from './places.js';
import { silentLogger } from './silent-logger.js';
import type { SimulatedBroker } from './simulated-driver.js';
import { MemberDriver, type Membership, ProtocolError, type SimulatedGroup } from './simulated-group.js';
import type { VirtualClock } from './virtual-clock.js';

export const main = defineTopic({
  name: 'main',
  records: [],
  key: 'any',
  owner: 'tests',
  partitions: 2,
  purpose: 'A test.',
});
export const retry = retryTopicOf(main);
export const dead = deadLetterTopicOf(main);

/**
 * What becomes of a commit. `unseen`: stored, not acknowledged. A split stores one partition of the request. `expelled`: refused for
 * good, because the session has ended.
 */
export type CommitFate = 'ok' | 'refused' | 'unseen' | 'only-main' | 'only-retry' | 'slow' | 'expelled';

export interface WorldOptions {
  readonly fence?: 'cross' | 'lane';
  readonly ordering?: 'key' | 'none';
  readonly plantedBug?: PlantedBug | undefined;
  readonly takeover?: TakeoverTimes;
  readonly maxWindowRecords?: number;
  /** Key `a` is in the first, `b` in the last. */
  readonly partitions?: 1 | 2;
  /** All keys are of one account that has so many places, and waits above half a second count as long. Absent: each is an account. */
  readonly places?: number;
  /** A dead letter of key `a` holds it; one of `b` does not. */
  readonly holds?: boolean;
}

/** What surrounds a member: it tells it what it does, and is told what becomes of it. */
export interface Surroundings {
  readonly options: WorldOptions;
  readonly broker: SimulatedBroker;
  readonly group: SimulatedGroup;
  readonly clock: VirtualClock;
  readonly commitFates: CommitFate[];
  /** Of the commits before the join that is under way, and of no later one: nobody would tell the client that it is expelled. */
  readonly rejoinFates: CommitFate[];
  send(record: OutgoingRecord, member: Member): Promise<RecordPosition>;
  attempt(record: IncomingRecord, member: Member): Promise<Settlement>;
  noteCommit(commits: readonly OffsetCommit[]): void;
  complain(text: string): void;
}

/** One life of one process. What it does after its death reaches nobody. */
export class Member {
  isAlive = true;
  /** Lost its session and does not know it: what it does still lands. */
  isGhost = false;
  /** Delivered in the present ownership. */
  readonly delivered = new Set<string>();
  /** Its session ended and it does nothing at present. */
  isAway = false;
  /** Attempts, and appends that are not answered. */
  underWay = 0;
  readonly driver: WorldDriver;
  readonly runtime: ConsumerRuntime;

  constructor(readonly world: Surroundings) {
    this.driver = new WorldDriver(this);
    const {
      fence = 'cross',
      ordering = 'key',
      plantedBug,
      takeover,
      maxWindowRecords = 5,
      places: few,
    } = world.options;
    const options: ConsumeOptions = {
      group: 'tests',
      deadLetterTopic: dead,
      ordering,
      concurrency: 3,
      maxWindowRecords,
      ...(few !== undefined && { gatePolicy: places(few), gateScope: () => 'account' }),
      retries: {
        topic: retry,
        fence,
        ...(few !== undefined && { longerThanMs: 500 }),
        ...(takeover && { takeover }),
        ...(world.options.holds && { onDead: (account: string) => (account.endsWith(':a') ? 'hold' : 'continue') }),
      },
    };
    this.runtime = new ConsumerRuntime({
      driver: this.driver,
      producer: { send: (record) => this.busy(world.send(record, this)) },
      topics: [main, retry],
      options,
      handler: (record) => this.busy(world.attempt(record, this)),
      logger: silentLogger,
      clock: world.clock,
      observer: {
        pauseEnded: ({ topic, reason }) => world.complain(`stuck pause: ${topic} was paused for ${reason}`),
      },
      onFatal: (error) => world.complain(`fatal: ${error.message}`),
      ...(plantedBug && { plantedBug }),
    });
  }

  /** All that it was given is open. */
  get isOpen(): boolean {
    return this.runtime.snapshot().pauses.every(({ reason }) => reason !== 'loading');
  }

  private async busy<T>(work: Promise<T>): Promise<T> {
    this.underWay += 1;
    try {
      return await work;
    } finally {
      this.underWay -= 1;
    }
  }
}

class WorldDriver extends MemberDriver {
  /** When the group last let it in, and whether it had nothing under way and nothing unsaid any more. */
  joined = { atMs: 0, wasIdle: true };
  /** The last commit was not acknowledged. */
  private isUnheard = false;

  constructor(private readonly member: Member) {
    super(member.world.broker, member.world.group, member.world.clock);
  }

  override async commit(offsets: readonly OffsetCommit[]): Promise<void> {
    const { world } = this.member;
    if (!this.member.isAlive) return new Promise(() => {});
    for (const at of offsets) {
      if (!this.owns(at) && !this.member.isGhost && !this.member.isAway)
        world.complain(`commit of ${at.topic}, which is not owned`);
    }
    this.isUnheard = true;
    await super.commit(offsets);
    this.isUnheard = false;
  }

  protected override joins(): void {
    const wasIdle = this.member.underWay === 0 && !this.isUnheard;
    this.joined = { atMs: this.member.world.clock.now(), wasIdle };
    this.member.world.rejoinFates.length = 0;
  }

  protected override async receive(offsets: readonly OffsetCommit[], membership: Membership): Promise<void> {
    const { world } = this.member;
    const fate = world.rejoinFates.shift() ?? world.commitFates.shift() ?? 'ok';
    if (fate === 'refused') throw new ProtocolError('GROUP_LOAD_IN_PROGRESS', true);
    if (fate === 'expelled') this.group.forget();
    if (fate === 'slow') await sleep(world.clock, 400);
    if (!this.member.isAlive) return new Promise(() => {});
    if (!this.member.isGhost) this.group.checkCommit(membership);
    const kept = offsets.filter(({ topic }) =>
      fate === 'only-main' ? topic === main.name : fate === 'only-retry' ? topic === retry.name : true,
    );
    world.noteCommit(kept);
    this.store(kept);
    if (fate !== 'ok' && fate !== 'slow') throw new Error('the connection was cut');
  }

  private owns({ topic, partition }: TopicPartition): boolean {
    return this.assigned.some((at) => at.topic === topic && at.partition === partition);
  }

  /** The process is gone: its partitions go without a word. */
  forget(): void {
    this.assigned = [];
  }
}
