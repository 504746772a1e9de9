import type { Clock } from '../connection/clock.js';
import type { OffsetCommit, TopicPartition } from '../consumer/consumer-driver.js';
import { GroupSession } from '../consumer/group-session.js';
import { silentLogger } from './silent-logger.js';
import { type SimulatedBroker, SimulatedDriver } from './simulated-driver.js';

/** A broker's answer, as kafkajs throws it. */
export class ProtocolError extends Error {
  constructor(
    readonly type: string,
    readonly retriable: boolean,
  ) {
    super(type);
  }
}

export interface Membership {
  readonly memberId: string;
  readonly groupGenerationId: number;
}

/** The coordinator's book of a group of one member: who joins takes the place of who was there. */
export class SimulatedGroup {
  private memberId: string | undefined;
  private generation = 0;
  private members = 0;

  /** @param missed generations that the member learns of too late. */
  join(memberId: string, missed: number): { memberId: string; generationId: number } {
    if (memberId !== '') this.know(memberId);
    this.memberId = memberId || `member-${++this.members}`;
    this.generation += 1 + missed;
    return { memberId: this.memberId, generationId: this.generation };
  }

  leave(memberId: string): void {
    this.know(memberId);
    this.memberId = undefined;
  }

  /** The session of whoever was the member has ended. */
  forget(): void {
    this.memberId = undefined;
  }

  checkCommit({ memberId, groupGenerationId }: Membership): void {
    this.know(memberId);
    if (groupGenerationId !== this.generation) throw new ProtocolError('ILLEGAL_GENERATION', false);
  }

  private know(memberId: string): void {
    if (memberId !== this.memberId) throw new ProtocolError('UNKNOWN_MEMBER_ID', false);
  }
}

interface SimulatedJoin {
  /** The client started again and forgot who it was. */
  readonly asNewMember?: boolean;
  readonly missed?: number;
}

/** A driver that joins and commits as the real one does: through a `GroupSession`, with the membership that it knows of. */
export abstract class MemberDriver extends SimulatedDriver {
  private readonly session: GroupSession;
  private readonly cluster: { findGroupCoordinator: () => Promise<ReturnType<MemberDriver['coordinator']>> };
  private memberId = '';
  private missed = 0;

  constructor(
    broker: SimulatedBroker,
    protected readonly group: SimulatedGroup,
    clock: Clock,
  ) {
    super(broker);
    this.session = new GroupSession({
      group: 'tests',
      clock,
      logger: silentLogger,
      beforeJoin: async (join) => this.listener?.beforeJoin(join),
    });
    this.cluster = { findGroupCoordinator: async () => this.coordinator() };
    this.session.watch(this.cluster);
  }

  /** What arrives at the broker. */
  protected abstract receive(offsets: readonly OffsetCommit[], membership: Membership): Promise<void>;

  /** Right before the group lets the client in: it has said what it had to say. */
  protected abstract joins(): void;

  /** @returns true when nobody else was the owner since the last assignment. */
  async join(partitions: readonly TopicPartition[], how: SimulatedJoin = {}): Promise<boolean> {
    if (how.asNewMember) this.memberId = '';
    this.missed = how.missed ?? 0;
    await this.joinGroup();
    const isUnbroken = this.session.assigned();
    this.take(partitions, isUnbroken);
    return isUnbroken;
  }

  override async commit(offsets: readonly OffsetCommit[]): Promise<void> {
    await this.session.commit(
      offsets.map(({ topic, partition, offset, metadata }) => ({
        topic,
        partitions: [{ partition, offset: String(offset), metadata }],
      })),
    );
  }

  /** As the client does: who is told that nobody knows it joins as a new member. */
  private async joinGroup(): Promise<void> {
    try {
      const coordinator = await this.cluster.findGroupCoordinator();
      ({ memberId: this.memberId } = await coordinator.joinGroup({ memberId: this.memberId }));
    } catch (error) {
      if (!(error instanceof ProtocolError) || this.memberId === '') throw error;
      this.memberId = '';
      await this.joinGroup();
    }
  }

  private coordinator() {
    return {
      isConnected: () => true,
      joinGroup: async ({ memberId = '' }: { memberId?: string }) => {
        this.joins();
        return this.group.join(memberId, this.missed);
      },
      leaveGroup: async ({ memberId }: { memberId: string }) => this.group.leave(memberId),
      offsetCommit: ({ topics, ...membership }: Membership & { topics: readonly CommittedTopic[] }) =>
        this.receive(topics.flatMap(offsetsOf), membership),
    };
  }
}

interface CommittedTopic {
  readonly topic: string;
  readonly partitions: readonly { partition: number; offset: string; metadata: string }[];
}

const offsetsOf = ({ topic, partitions }: CommittedTopic): OffsetCommit[] =>
  partitions.map(({ partition, offset, metadata }) => ({ topic, partition, offset: Number(offset), metadata }));
