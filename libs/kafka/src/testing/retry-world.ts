import { holdMarks, originHeaders, redriveHeaders, retryHeaders } from '@tributary/contracts';
import type { Settlement } from '@tributary/domain';
import { sleep } from '../connection/clock.js';
import { type OffsetCommit, partitionName, type TopicPartition } from '../consumer/consumer-driver.js';
import { headerText, type IncomingRecord, type OutgoingRecord, type RecordPosition } from '../records.js';
import { overstatedIn } from './commit-judge.js';
import { DeadLetterDesk } from './dead-letter-desk.js';
import { aFailure } from './failures.js';
import { SimulatedBroker } from './simulated-driver.js';
import { SimulatedGroup } from './simulated-group.js';
import { settled, VirtualClock } from './virtual-clock.js';
import { type CommitFate, dead, Member, main, retry, type Surroundings, type WorldOptions } from './world-member.js';

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
/** As whom a client joins again: as who it was, the same but too late to have missed nothing, or as a new member. */
export type Rejoin = 'former' | 'late' | 'new';
/** What becomes of an append. `late`: it lands two seconds later. */
export type AppendFate = 'ok' | 'refused' | 'unseen' | 'late';

interface Told {
  readonly key: string;
  readonly index: number;
}

/** A broker, a destination and one process at a time, with everything that can go wrong between them; it notes each broken promise. */
export class RetryWorld implements Surroundings {
  readonly broker = new SimulatedBroker();
  readonly group = new SimulatedGroup();
  readonly clock = new VirtualClock();
  readonly complaints: string[] = [];
  readonly commitFates: CommitFate[] = [];
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
