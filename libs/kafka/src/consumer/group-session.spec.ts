import { describe, expect, it } from 'vitest';
import { silentLogger } from '../testing/silent-logger.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { GroupSession } from './group-session.js';

class ProtocolError extends Error {
  constructor(
    readonly type: string,
    readonly retriable: boolean,
  ) {
    super(type);
  }
}

/** The coordinator of one group, as kafkajs' broker object shows it. */
function scene() {
  const calls: string[] = [];
  const failures: Error[] = [];
  const answers = { memberId: 'm1', generationId: 1 };
  const commitFailure: { error?: Error } = {};
  const clock = new VirtualClock();
  const coordinator = {
    isConnected: () => true,
    joinGroup: async (request: { memberId?: string }) => {
      calls.push(`join as ${request.memberId || 'nobody'}`);
      return { ...answers, members: ['all of the answer'] };
    },
    leaveGroup: async ({ memberId }: { memberId: string }) => {
      calls.push(`leave as ${memberId}`);
      const error = failures.shift();
      if (error) throw error;
    },
    offsetCommit: async ({ memberId, groupGenerationId }: { memberId: string; groupGenerationId: number }) => {
      calls.push(`commit as ${memberId} of ${groupGenerationId}`);
      if (commitFailure.error) throw commitFailure.error;
    },
  };
  const cluster = {
    findGroupCoordinator: async (): Promise<typeof coordinator> => {
      calls.push('find');
      return coordinator;
    },
  };
  const session = new GroupSession({
    group: 'g',
    beforeJoin: async ({ asNewMember }) => void calls.push(asNewMember ? 'drain at leisure' : 'drain'),
    clock,
    logger: silentLogger,
  });
  session.watch(cluster as never);
  /** As kafkajs joins. */
  const join = async (memberId = '') => (await cluster.findGroupCoordinator()).joinGroup({ memberId });
  const leave = async (memberId: string) => (await cluster.findGroupCoordinator()).leaveGroup({ memberId });
  const joined = async (memberId: string, generationId: number, as = '') => {
    Object.assign(answers, { memberId, generationId });
    await join(as);
    return session.assigned();
  };
  return { calls, failures, answers, commitFailure, clock, session, join, joined, leave };
}

describe('GroupSession', () => {
  it('delays a join until everything is drained, and hands on the whole answer', async () => {
    const { calls, join } = scene();
    expect(await join()).toMatchObject({ members: ['all of the answer'] });
    expect(calls).toEqual(['find', 'drain at leisure', 'join as nobody']);
  });

  it('says that a member which rejoins has little time', async () => {
    const { calls, join } = scene();
    await join('m1');
    expect(calls).toEqual(['find', 'drain', 'join as m1']);
  });

  it('does not take the look-up of a coordinator for a join', async () => {
    const { calls, session, joined } = scene();
    await joined('m1', 1);
    calls.length = 0;
    await session.commit([]);
    expect(calls).toEqual(['find', 'commit as m1 of 1']);
  });

  it('commits under the generation of the assignment, not of a join under way', async () => {
    const { calls, answers, session, join, joined } = scene();
    await joined('m1', 1);
    answers.generationId = 2;
    await join('m1');
    await session.commit([]);
    expect(calls.at(-1)).toBe('commit as m1 of 1');
    session.assigned();
    await session.commit([]);
    expect(calls.at(-1)).toBe('commit as m1 of 2');
  });

  it('refuses to commit before there is an assignment, instead of saying that it did', async () => {
    const { session } = scene();
    await expect(session.commit([])).rejects.toThrow(/no assignment/);
  });

  it.each([
    ['the next generation', 'm1', 5, true],
    ['a generation later', 'm1', 6, false],
    ['the same number again', 'm1', 4, false],
    ['another member id', 'm2', 5, false],
  ])('knows what it may keep after a join: %s', async (_case, memberId, generation, isUnbroken) => {
    const { joined } = scene();
    expect(await joined('m1', 4)).toBe(false);
    expect(await joined(memberId, generation, 'm1')).toBe(isUnbroken);
  });

  it('leaves as the former member when the client restarted, after its last commit', async () => {
    const { calls, join, joined } = scene();
    await joined('m1', 1);
    calls.length = 0;
    await join();
    expect(calls.filter((call) => call !== 'find')).toEqual(['drain at leisure', 'leave as m1', 'join as nobody']);
  });

  it.each([
    ['while the group is being loaded, tries again', new ProtocolError('COORDINATOR_LOAD_IN_PROGRESS', true), 2],
    ['when nobody knows the member any more, goes on', new ProtocolError('UNKNOWN_MEMBER_ID', false), 1],
  ])('%s', async (_case, error, tries) => {
    const { calls, failures, clock, join, joined } = scene();
    await joined('m1', 1);
    calls.length = 0;
    failures.push(error);
    const joining = join();
    await clock.advance(1_000);
    await joining;
    expect(calls.filter((call) => call === 'leave as m1')).toHaveLength(tries);
    expect(calls.at(-1)).toBe('join as nobody');
  });

  it('leaves as the former member even if the broker takes ten seconds to know the group', async () => {
    const { calls, failures, clock, join, joined } = scene();
    await joined('m1', 1);
    failures.push(...Array.from({ length: 45 }, () => new ProtocolError('NOT_COORDINATOR_FOR_GROUP', true)));
    const joining = join();
    await clock.advance(12_000);
    await joining;
    expect(calls.filter((call) => call === 'leave as m1')).toHaveLength(46);
  });

  it('joins at last when the broker never lets the former member leave', async () => {
    const { calls, failures, clock, join, joined } = scene();
    await joined('m1', 1);
    failures.push(...Array.from({ length: 1_000 }, () => new ProtocolError('NOT_COORDINATOR_FOR_GROUP', true)));
    const joining = join();
    await clock.advance(20_000);
    await joining;
    expect(calls.at(-1)).toBe('join as nobody');
  });

  it('stays a member when the client leaves at a fault, so that it can still say what is finished', async () => {
    const { calls, session, leave, joined } = scene();
    await joined('m1', 1);
    calls.length = 0;
    await leave('m1');
    await session.commit([]);
    expect(calls).toEqual(['find', 'find', 'commit as m1 of 1']);
    session.beginStop();
    await leave('m1');
    expect(calls.at(-1)).toBe('leave as m1');
  });

  it.each([
    ['lets it', undefined],
    ['does not answer', new ProtocolError('NOT_COORDINATOR_FOR_GROUP', true)],
  ])('tries once to leave when it stops after the client ended: the broker %s', async (_case, failure) => {
    const { calls, failures, session, joined } = scene();
    await joined('m1', 1);
    if (failure) failures.push(failure);
    session.beginStop();
    await session.leave();
    await session.leave();
    expect(calls.filter((call) => call === 'leave as m1')).toHaveLength(1);
  });

  it('does not join when it stops meanwhile', async () => {
    const { calls, failures, clock, session, join, joined } = scene();
    await joined('m1', 1);
    failures.push(...Array.from({ length: 1_000 }, () => new ProtocolError('NOT_COORDINATOR_FOR_GROUP', true)));
    const joining = join();
    const refused = expect(joining).rejects.toThrow(/stops/);
    await clock.advance(1_000);
    session.beginStop();
    await clock.advance(1_000);
    await refused;
    expect(calls.filter((call) => call.startsWith('join'))).toEqual(['join as nobody']);
  });

  it('looks for the coordinator again after a failure', async () => {
    const { calls, commitFailure, session, joined } = scene();
    await joined('m1', 1);
    commitFailure.error = new ProtocolError('NOT_COORDINATOR_FOR_GROUP', true);
    await expect(session.commit([])).rejects.toThrow('NOT_COORDINATOR_FOR_GROUP');
    delete commitFailure.error;
    calls.length = 0;
    await session.commit([]);
    expect(calls).toEqual(['find', 'commit as m1 of 1']);
  });
});
