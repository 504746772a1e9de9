import {
  deadLetterTopicOf,
  defineTopic,
  holdMarks,
  originHeaders,
  redriveHeaders,
  retryHeaders,
  retryTopicOf,
} from '@tributary/contracts';
import type { Settlement } from '@tributary/domain';
import { sleep } from '../connection/clock.js';
import { type OffsetCommit, partitionName, type TopicPartition } from '../consumer/consumer-driver.js';
import { ConsumerRuntime } from '../consumer/consumer-runtime.js';
import type { PlantedBug } from '../consumer/retry/retry-rules.js';
import type { ConsumeOptions, TakeoverTimes } from '../consumer/runtime-options.js';
import { headerText, type IncomingRecord, type OutgoingRecord, type RecordPosition } from '../records.js';
import { overstatedIn } from './commit-judge.js';
import { DeadLetterDesk } from './dead-letter-desk.js';
import { aFailure } from './failures.js';
import { places } from './places.js';
import { silentLogger } from './silent-logger.js';
import { SimulatedBroker } from './simulated-driver.js';
import { MemberDriver, type Membership, ProtocolError, SimulatedGroup } from './simulated-group.js';
import { settled, VirtualClock } from './virtual-clock.js';

export const main = defineTopic({
  name: 'main',
  records: [],
  key: 'any',
  owner: 'tests',
  partitions: 2,
  purpose: 'A test.',
});
export const retry = retryTopicOf(main);
const dead = deadLetterTopicOf(main);
const pairsOf = (count: number): TopicPartition[] =>
  Array.from({ length: count }, (_, partition) => [
    { topic: main.name, partition },
    { topic: retry.name, partition },
  ]).flat();
/** How long an owner that lost its session does not know it: less than the takeover wait. */
const unawareMs = 3_000;
/** A runtime gives up waiting for what is in flight only later. */
const drainedWithinMs = 5_000;
/** The drain, the last commit and leaving have their limits, and a member that nobody knows goes through them twice. */
const longestJoinMs = 60_000;

/** What the destination and the handler make of one attempt. */
export type Verdict =
  | 'delivered'
  | 'short-retry'
  | 'long-retry'
  | 'long-gate'
  | 'short-gate'
  | 'dead'
  | 'slow-delivered';
/**
 * What becomes of a commit. `unseen`: stored, not acknowledged. A split stores one partition of the request. `expelled`: refused for
 * good, because the session has ended.
 */
export type CommitFate = 'ok' | 'refused' | 'unseen' | 'only-main' | 'only-retry' | 'slow' | 'expelled';
/** As whom a client joins again: as who it was, the same but too late to have missed nothing, or as a new member. */
export type Rejoin = 'former' | 'late' | 'new';
/** What becomes of an append. `late`: it lands two seconds later. */
export type AppendFate = 'ok' | 'refused' | 'unseen' | 'late';

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

/** One life of one process. What it does after its death reaches nobody. */
class Member {
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

  constructor(readonly world: RetryWorld) {
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

interface Told {
  readonly key: string;
  readonly index: number;
}

/** A broker, a destination and one process at a time, with everything that can go wrong between them; it notes each broken promise. */
export class RetryWorld {
  readonly broker = new SimulatedBroker();
  readonly group = new SimulatedGroup();
  readonly clock = new VirtualClock();
  readonly complaints: string[] = [];
  readonly commitFates: CommitFate[] = [];
  /** Of the commits before the join that is under way, and of no later one: nobody would tell the client that it is expelled. */
  readonly rejoinFates: CommitFate[] = [];
  readonly appendFates: AppendFate[] = [];
  readonly trace: string[] = [];
  private readonly records: Told[] = [];
  private readonly offsets = new Map<string, number>();
  private readonly settledRecords = new Set<string>();
  /** Not before, by the newest copy that is in the retry topic. */
  private readonly due = new Map<string, number>();
  private readonly newest = new Map<string, number>();
  private readonly last = new Map<string, number>();
  repeats = 0;
  parked = 0;
  /** Dead letters, and those of them that were redriven and not settled again. */
  private readonly dead = new Set<string>();
  private readonly redriven = new Set<string>();
  private readonly awaited = new Set<string>();
  private readonly deliveredRedrives = new Set<string>();
  private readonly desk = new DeadLetterDesk();
  private member: Member;

  constructor(
    readonly options: WorldOptions,
    private readonly nextVerdict: () => Verdict,
  ) {
    this.member = new Member(this);
  }

  async start(): Promise<void> {
    await this.member.runtime.start();
    await this.member.driver.join(this.pairs);
    await settled();
  }

  private get pairs(): TopicPartition[] {
    return pairsOf(this.options.partitions ?? 1);
  }

  private partitionOf(key: string): number {
    return key === 'b' && this.options.partitions === 2 ? 1 : 0;
  }

  complain(text: string): void {
    this.complaints.push(text);
    this.trace.push(`!! ${text}`);
  }

  // ---- steps

  /** @param gap offsets that compaction or a control record took. */
  append(key: string, gap = 0): void {
    const index = this.records.length;
    this.records.push({ key, index });
    const at = { topic: main.name, partition: this.partitionOf(key) };
    const offset = this.broker.append(at, key, `${key}:${index}`, gap);
    this.offsets.set(`${key}:${index}`, offset);
    this.trace.push(`append ${key}${index} at ${offset}`);
  }

  /** An operator sends the oldest dead letter through its chain again. */
  redrive(): void {
    const held = this.desk.take();
    const id = held?.id ?? [...this.dead].find((one) => !this.redriven.has(one));
    if (id === undefined) return;
    this.redriven.add(id);
    this.awaited.add(id);
    const count = (held?.redriveCount ?? 0) + 1;
    this.decide(id, count, { [redriveHeaders.id]: `job-${id}-${count}` });
  }

  /** An operator gives up the oldest dead letter that holds its key. */
  discard(): void {
    const held = this.desk.take();
    if (!held) return;
    this.settledRecords.add(held.id);
    this.awaited.delete(held.id);
    this.decide(held.id, held.redriveCount + 1, { [retryHeaders.hold]: holdMarks.released });
  }

  private decide(id: string, redriveCount: number, headers: Readonly<Record<string, string>>): void {
    const partition = this.partitionOf(id.charAt(0));
    const offset = this.broker.append({ topic: retry.name, partition }, id.charAt(0), id, 0, {
      [originHeaders.topic]: main.name,
      [originHeaders.partition]: String(partition),
      [originHeaders.offset]: String(this.offsets.get(id)),
      [redriveHeaders.count]: String(redriveCount),
      ...headers,
    });
    this.trace.push(`OPERATOR: ${id} #${redriveCount} at retry@${offset} ${JSON.stringify(headers)}`);
  }

  async fetch(max: number): Promise<void> {
    this.member.driver.fetch(max);
    await settled();
    const { maxWindowRecords = 5 } = this.options;
    for (const { topic, windowRecords } of this.member.runtime.snapshot().partitions) {
      if (topic === retry.name && windowRecords > maxWindowRecords + max)
        this.complain(`memory: ${windowRecords} parked values`);
    }
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }

  /** kill -9, and another process takes its place. */
  async crash(): Promise<void> {
    this.trace.push('CRASH');
    const { member } = this;
    member.isAlive = false;
    member.driver.forget();
    member.runtime.onAssigned({ partitions: [], isUnbroken: false });
    this.member = new Member(this);
    await this.start();
  }

  /** The session ended without the process noticing: what it has in flight still lands. */
  async loseSession(): Promise<void> {
    this.trace.push('SESSION LOST');
    const { member } = this;
    member.driver.forget();
    member.runtime.onAssigned({ partitions: [], isUnbroken: false });
    this.member = new Member(this);
    await this.start();
  }

  /** As `loseSession`, but the former owner goes on for a while: attempts, appends and commits of it land beside the new one. */
  async haunt(): Promise<void> {
    this.trace.push('SESSION LOST UNAWARES');
    const { member } = this;
    member.isGhost = true;
    member.driver.sessionEnds = this.clock.now() + unawareMs;
    this.clock.after(unawareMs, () => {
      member.isGhost = false;
      member.driver.forget();
      member.runtime.onAssigned({ partitions: [], isUnbroken: false });
    });
    this.member = new Member(this);
    await this.start();
  }

  /** The partition goes to another member, which acts, and comes back to one that noticed nothing but the missed generation. */
  async awayAndUsed(): Promise<void> {
    this.trace.push('AWAY, USED BY ANOTHER');
    const { member } = this;
    member.driver.forget();
    member.driver.sessionEnds = this.clock.now();
    member.isAway = true;
    this.member = new Member(this);
    await this.start();
    for (let i = 0; i < 6; i++) {
      await this.advance(2_500);
      await this.fetch(10);
    }
    await this.joined(this.member.driver.join([], { missed: 1 }), 8_000);
    this.member.isAlive = false;
    this.trace.push('AND BACK');
    this.member = member;
    await this.rebalance(false);
    member.isAway = false;
    member.driver.heartbeat(Number.POSITIVE_INFINITY);
    await settled();
  }

  async rebalance(isUnbroken: boolean): Promise<void> {
    this.trace.push(isUnbroken ? 'REBALANCE, kept' : 'REBALANCE, away and back');
    const joining = this.member.driver.join(this.pairs, { missed: isUnbroken ? 0 : 1 });
    if (!(await this.joined(joining, 8_000))) this.member.delivered.clear();
    await settled();
  }

  /** The session broke. The client joins again, when its last commit was taken or is given up, as who it was or as somebody new. */
  async rejoin(how: Rejoin, fates: readonly CommitFate[]): Promise<void> {
    this.trace.push(`REJOIN, ${how}: ${fates.join()}`);
    this.commitFates.length = 0;
    this.rejoinFates.push(...fates);
    const { member } = this;
    const { driver } = member;
    const { isOpen } = member;
    const beganAtMs = this.clock.now();
    const joining = driver.join(this.pairs, { asNewMember: how === 'new', missed: how === 'late' ? 1 : 0 });
    const isUnbroken = await this.joined(joining);
    // A join that waited longer than a drain may have gone on without what was in flight.
    const { wasIdle, atMs } = driver.joined;
    const isClean = wasIdle && atMs - beganAtMs < drainedWithinMs;
    if (!isClean && !isUnbroken) member.delivered.clear();
    await this.clock.advance(1_000);
    if (isClean && isOpen && !member.isOpen) this.complain('waits for itself');
  }

  /** Lets time pass until a join is over, and at least so long. */
  private async joined(joining: Promise<boolean>, atLeastMs = 0): Promise<boolean> {
    const answer: { isUnbroken?: boolean } = {};
    void joining.then((isUnbroken) => Object.assign(answer, { isUnbroken }));
    await this.clock.advance(atLeastMs);
    const untilMs = this.clock.now() + longestJoinMs;
    while (answer.isUnbroken === undefined && this.clock.now() < untilMs) await this.clock.advance(250);
    if (answer.isUnbroken === undefined) throw new Error(`a join does not end\n${this.trace.join('\n')}`);
    return answer.isUnbroken;
  }

  async handOver(): Promise<void> {
    this.trace.push('HAND-OVER');
    await this.joined(this.member.driver.join([], { missed: 1 }), 8_000);
    this.member.isAlive = false;
    this.member = new Member(this);
    await this.start();
  }

  /** No more faults: everything must come to its end. */
  async quiet(): Promise<void> {
    this.trace.push('QUIET');
    this.commitFates.length = 0;
    this.appendFates.length = 0;
    this.isQuiet = true;
    // Longer than a takeover wait, so that an idle partition is open at the end as well.
    for (let i = 0; i < 150 && (i < 10 || !this.isDone()); i++) {
      while (!this.desk.isClear) this.redrive();
      this.member.driver.fetch(10);
      await this.clock.advance(i < 100 ? 2_000 : 60_000);
    }
    this.judge();
  }

  private isQuiet = false;

  private isDone(): boolean {
    const isSettled = this.settledRecords.size === this.records.length && this.awaited.size === 0;
    return isSettled && this.desk.isClear && this.isCommitted();
  }

  private isCommitted(): boolean {
    return [...this.broker.logs].every(
      ([name, log]) => this.broker.commits.get(name)?.offset === Number(log.at(-1)?.offset) + 1,
    );
  }

  private judge(): void {
    const missing = this.records.filter(({ key, index }) => !this.settledRecords.has(`${key}:${index}`));
    const isCommitted = this.isCommitted();
    for (const { key, index } of missing) this.complain(`${isCommitted ? 'lost' : 'stuck'}: ${key}${index}`);
    for (const id of this.awaited) this.complain(`${isCommitted ? 'lost' : 'stuck'}: redriven ${id}`);
    if (missing.length === 0 && !this.isDone()) this.complain('stuck: settled and never committed');
    for (const [key, index] of this.last) {
      if (this.options.ordering !== 'none' && index !== this.newest.get(key))
        this.complain(`stale end: ${key} ends with ${index}`);
    }
    const { pauses } = this.member.runtime.snapshot();
    if (this.isDone() && pauses.length > 0) this.complain(`stuck pause: ${pauses.map(({ reason }) => reason).join()}`);
  }

  // ---- the outside

  noteCommit(commits: readonly OffsetCommit[]): void {
    for (const commit of commits) {
      const { topic, partition } = commit;
      const overstated = overstatedIn(commit, {
        isSettled: (id) => this.settledRecords.has(id),
        mainOffsets: topic === main.name ? this.mainOffsets(partition) : undefined,
        copies: this.broker.logs.get(partitionName({ topic: retry.name, partition })) ?? [],
      });
      for (const id of overstated) this.complain(`beyond: ${topic} is committed with ${id}, which is not finished`);
    }
  }

  private mainOffsets(partition: number): [string, number][] {
    return [...this.offsets].filter(([id]) => this.partitionOf(id.charAt(0)) === partition);
  }

  async attempt(record: IncomingRecord, member: Member): Promise<Settlement> {
    if (!member.isAlive) return new Promise(() => {});
    const id = String(record.value);
    const told = this.toldOf(id);
    const at = record.topic === main.name ? 'main' : `retry@${record.offset}`;
    this.noteAttempt(id, told, record, at);
    const verdict = this.isQuiet ? 'delivered' : this.nextVerdict();
    if (verdict === 'slow-delivered') await sleep(this.clock, 700);
    if (!member.isAlive) return new Promise(() => {});
    this.trace.push(`${this.clock.now()} ${verdict} ${told.key}${told.index} from ${at}`);
    return this.verdict(verdict, told, record, member);
  }

  async send(record: OutgoingRecord, member: Member): Promise<RecordPosition> {
    if (!member.isAlive) return new Promise(() => {});
    const partition = record.partition ?? 0;
    if (record.topic === dead.name) {
      this.desk.note(record);
      return { topic: record.topic, partition, offset: 0n };
    }
    const fate = this.appendFates.shift() ?? 'ok';
    if (fate === 'refused') throw new Error('NOT_ENOUGH_REPLICAS');
    // What is on its way lands even if the process dies meanwhile.
    if (fate === 'late') await sleep(this.clock, 2_000);
    const offset = this.land(record);
    if (!member.isAlive) return new Promise(() => {});
    if (fate === 'unseen') throw new Error('REQUEST_TIMED_OUT');
    return { topic: record.topic, partition, offset: BigInt(offset) };
  }

  private land(record: OutgoingRecord): number {
    const id = String(record.value);
    const headers = { ...record.headers };
    const at = { topic: retry.name, partition: record.partition ?? 0 };
    const offset = this.broker.append(at, String(record.key), id, 0, headers);
    const isHold = headerText(headers, retryHeaders.hold) !== undefined;
    if (!isHold) this.due.set(id, Number(headerText(headers, retryHeaders.dueMs)));
    this.parked += 1;
    this.trace.push(
      `${this.clock.now()} parked ${id} at retry@${offset}, ${isHold ? 'a hold' : `due ${this.due.get(id)}`}`,
    );
    return offset;
  }

  private noteAttempt(id: string, { key, index }: Told, { topic, headers }: IncomingRecord, at: string): void {
    if (headers[retryHeaders.hold] !== undefined) this.complain(`held: ${id} was attempted from ${at}`);
    const ownDue = topic === retry.name ? Number(headers[retryHeaders.dueMs]) : 0;
    // Without order the former copy may run beside the newest one.
    const due = topic === retry.name && this.options.ordering !== 'none' ? (this.due.get(id) ?? 0) : ownDue;
    if (Math.max(due, ownDue) > this.clock.now()) this.complain(`early: ${id} from ${at}`);
    if (this.options.ordering === 'none') return;
    const elders = this.records.filter((other) => other.key === key && other.index < index);
    if (elders.some((other) => !this.settledRecords.has(`${other.key}:${other.index}`)))
      this.complain(`order: ${id} from ${at}`);
  }

  private verdict(verdict: Verdict, told: Told, record: IncomingRecord, member: Member): Settlement {
    const id = String(record.value);
    switch (verdict) {
      case 'short-retry':
        return { to: 'retry', delayMs: 700, failure: aFailure };
      case 'long-retry':
        return { to: 'retry', delayMs: 20_000, failure: aFailure };
      case 'short-gate':
        return { to: 'gate', closedForMs: 500, failure: { ...aFailure, errorClass: 'throttled' } };
      case 'long-gate':
        return { to: 'gate', closedForMs: 15_000, failure: { ...aFailure, errorClass: 'throttled' } };
      case 'dead':
        // It is settled when a person has decided.
        if (this.isHeld(told.key)) return { to: 'deadLetter', failure: aFailure };
        this.settledRecords.add(id);
        this.dead.add(id);
        this.awaited.delete(id);
        return { to: 'deadLetter', failure: aFailure };
      default:
        this.noteDelivered(id, told, member, record.headers[redriveHeaders.id]);
        return { to: 'commit' };
    }
  }

  private noteDelivered(id: string, { key, index }: Told, member: Member, redriveId: string | undefined): void {
    if (this.settledRecords.has(id)) this.repeats += 1;
    // The first delivery of a redrive was asked for, whatever this owner delivered before.
    const isAskedFor = redriveId !== undefined && !this.deliveredRedrives.has(redriveId);
    if (redriveId !== undefined) this.deliveredRedrives.add(redriveId);
    if (this.options.ordering !== 'none' && member.delivered.has(id) && !isAskedFor)
      this.complain(`twice: ${id} in one ownership`);
    // A redriven record comes after later ones: that is what was asked for.
    const isInTurn = this.isHeld(key) && !this.settledRecords.has(id);
    if (this.redriven.has(id) && isInTurn) this.awaited.delete(id);
    else if (this.redriven.has(id)) {
      this.awaited.delete(id);
      member.delivered.add(id);
      return;
    }
    const newest = this.newest.get(key) ?? -1;
    if (this.options.fence === 'lane' && index < newest) this.complain(`repeat after a later one: ${id}`);
    member.delivered.add(id);
    this.settledRecords.add(id);
    this.newest.set(key, Math.max(newest, index));
    this.last.set(key, index);
  }

  private isHeld(key: string): boolean {
    return this.options.holds === true && key === 'a';
  }

  private toldOf(id: string): Told {
    const told = this.records[Number(id.split(':')[1])];
    if (!told) throw new Error(`nobody appended ${id}`);
    return told;
  }
}
