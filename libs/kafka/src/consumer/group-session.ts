import { type Clock, sleep } from '../connection/clock.js';
import { isFinalAnswer } from '../connection/kafka-errors.js';
import { errorFields, type Logger } from '../connection/logger.js';
import type { Join } from './consumer-driver.js';

/** The part of kafkajs' broker object that a group member talks to. */
interface Coordinator {
  isConnected(): boolean;
  joinGroup(request: JoinRequest): Promise<JoinAnswer>;
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
  offsetCommit(request: Membership & { groupId: string; topics: readonly TopicOffsets[] }): Promise<unknown>;
}

interface JoinRequest {
  /** Empty: a new member. */
  readonly memberId?: string;
}

interface JoinAnswer {
  readonly memberId: string;
  readonly generationId: number;
}

/** The part of kafkajs' cluster object that finds the coordinator. */
export interface CoordinatedCluster {
  findGroupCoordinator(args: { groupId: string }): Promise<Coordinator>;
}

interface Membership {
  readonly memberId: string;
  readonly groupGenerationId: number;
}

interface TopicOffsets {
  readonly topic: string;
  readonly partitions: readonly { partition: number; offset: string; metadata: string }[];
}

export interface GroupSessionParts {
  readonly group: string;
  /** Each (re)join waits for it. */
  readonly beforeJoin: (join: Join) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Longer than a broker that has just started says that it does not coordinate the group yet: nobody can join it until then either. */
const leaveWithinMs = 15_000;
const leavePauseMs = 200;

/** The client has not joined the group, or left it: there is nothing that could be committed. */
export class NotAMember extends Error {
  override readonly name = 'NotAMember';

  constructor(group: string) {
    super(`group ${group} has no assignment that could be committed`);
  }
}

/**
 * Our membership of the group: which member of which generation our assignment is of. kafkajs keeps this to itself, has no hook
 * that a join waits for, and its own commits are of no use here: `consumer.commitOffsets` reports success without a request while
 * it is between two runs, and repeats an old commit in a new generation; the one of `eachBatch` belongs for ever to the run
 * that its batch was fetched in, so that after a restart nothing could be committed until something was fetched.
 */
export class GroupSession {
  private cluster: CoordinatedCluster | undefined;
  private coordinator: Coordinator | undefined;
  /** Of the present assignment. */
  private current: Membership | undefined;
  /** Of the last answer to a join: not ours before the assignment is known. */
  private joining: Membership | undefined;
  /** With what leaves the group through them: kafkajs asks for that whenever its loop ends, at a fault as well. */
  private readonly watched = new WeakMap<Coordinator, Coordinator['leaveGroup']>();
  private isStopping = false;

  constructor(private readonly parts: GroupSessionParts) {}

  /** Learns of every join made through the cluster object, and delays it. */
  watch(cluster: CoordinatedCluster): void {
    const find = cluster.findGroupCoordinator.bind(cluster);
    this.cluster = { findGroupCoordinator: find };
    cluster.findGroupCoordinator = async (args) => this.watchJoins(await find(args));
  }

  /** From now on the end of the client's loop is the end of the membership. */
  beginStop(): void {
    this.isStopping = true;
  }

  /**
   * The assignment of the last join is known.
   * @returns true when this member was in the generation before as well: what it keeps, nobody else owned in between.
   */
  assigned(): boolean {
    const before = this.current;
    this.current = this.joining;
    if (!before || !this.current || before.memberId !== this.current.memberId) return false;
    return this.current.groupGenerationId === before.groupGenerationId + 1;
  }

  /** One request under the generation of the present assignment; the broker refuses it when there is a newer one. */
  async commit(topics: readonly TopicOffsets[]): Promise<void> {
    const { current } = this;
    if (!current) throw new NotAMember(this.parts.group);
    const coordinator = await this.find();
    // The group may have moved on while the coordinator was looked up.
    if (this.current !== current)
      throw new Error(`group ${this.parts.group} was joined again before the commit was sent`);
    try {
      await coordinator.offsetCommit({ groupId: this.parts.group, ...current, topics });
    } catch (error) {
      this.coordinator = undefined;
      throw error;
    }
  }

  private async find(): Promise<Coordinator> {
    if (this.coordinator?.isConnected()) return this.coordinator;
    if (!this.cluster) throw new Error(`group ${this.parts.group} was never joined`);
    this.coordinator = await this.cluster.findGroupCoordinator({ groupId: this.parts.group });
    return this.coordinator;
  }

  /** The look-up of the coordinator is not watched: commits and fetches make it too. */
  private watchJoins(coordinator: Coordinator): Coordinator {
    if (this.watched.has(coordinator)) return coordinator;
    const join = coordinator.joinGroup.bind(coordinator);
    const leave = coordinator.leaveGroup.bind(coordinator);
    this.watched.set(coordinator, leave);
    coordinator.joinGroup = async (request) => {
      const asNewMember = !request.memberId;
      await this.parts.beforeJoin({ asNewMember });
      if (asNewMember) await this.leave();
      // Else the client would connect again, and the group would have a member that nobody is.
      if (this.isStopping) throw new Error(`group ${this.parts.group} is not joined: the consumer stops`);
      const answer = await join(request);
      this.joining = { memberId: answer.memberId, groupGenerationId: answer.generationId };
      return answer;
    };
    // After a fault we are members until what is finished is committed: else the next owner would wait for what we might still do.
    coordinator.leaveGroup = async (request) => (this.isStopping ? leave(request) : undefined);
    return coordinator;
  }

  /**
   * Ends the membership, which kafkajs forgets when it restarts or crashes: the group would wait for the member until its session ends.
   * After `beginStop` it is tried once.
   */
  async leave(): Promise<void> {
    const { current } = this;
    const { clock } = this.parts;
    const untilMs = clock.now() + leaveWithinMs;
    while (current && this.current === current) {
      if ((await this.hasLeft(current)) || this.isStopping || clock.now() >= untilMs) this.current = undefined;
      else await sleep(clock, leavePauseMs);
    }
  }

  private async hasLeft({ memberId }: Membership): Promise<boolean> {
    try {
      const coordinator = await this.find();
      const leave = this.watched.get(coordinator) ?? coordinator.leaveGroup.bind(coordinator);
      await leave({ groupId: this.parts.group, memberId });
      return true;
    } catch (error) {
      this.coordinator = undefined;
      this.parts.logger.debug({ ...errorFields(error), group: this.parts.group }, 'consumer.former-member-not-left');
      // A broker that has just started may still be loading the group.
      return isFinalAnswer(error);
    }
  }
}
