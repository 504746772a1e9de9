import { type Clock, sleep } from '../connection/clock.js';
import { isFinalAnswer } from '../connection/kafka-errors.js';
import { errorFields, type Logger } from '../connection/logger.js';

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
  readonly beforeJoin: () => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const leaveTries = 10;
const leavePauseMs = 200;

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
  private readonly watched = new WeakSet<Coordinator>();

  constructor(private readonly parts: GroupSessionParts) {}

  /** Learns of every join made through the cluster object, and delays it. */
  watch(cluster: CoordinatedCluster): void {
    const find = cluster.findGroupCoordinator.bind(cluster);
    this.cluster = { findGroupCoordinator: find };
    cluster.findGroupCoordinator = async (args) => this.watchJoins(await find(args));
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
    if (!current) throw new Error(`group ${this.parts.group} has no assignment that could be committed`);
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
    this.watched.add(coordinator);
    const join = coordinator.joinGroup.bind(coordinator);
    coordinator.joinGroup = async (request) => {
      await this.parts.beforeJoin();
      if (!request.memberId) await this.leaveAsFormerMember();
      const answer = await join(request);
      this.joining = { memberId: answer.memberId, groupGenerationId: answer.generationId };
      return answer;
    };
    return coordinator;
  }

  /** kafkajs forgets who it was when it restarts. The group would wait for that member until its session ends. */
  private async leaveAsFormerMember(): Promise<void> {
    const { current } = this;
    if (!current) return;
    this.current = undefined;
    for (let tries = 1; tries <= leaveTries; tries++) {
      try {
        const coordinator = await this.find();
        await coordinator.leaveGroup({ groupId: this.parts.group, memberId: current.memberId });
        return;
      } catch (error) {
        this.coordinator = undefined;
        this.parts.logger.debug({ ...errorFields(error), group: this.parts.group }, 'consumer.former-member-not-left');
        // A broker that has just started may still be loading the group.
        if (isFinalAnswer(error)) return;
      }
      await sleep(this.parts.clock, leavePauseMs);
    }
  }
}
