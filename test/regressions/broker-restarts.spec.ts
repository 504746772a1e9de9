/**
 * A broker that was killed and started again refuses the commits of a group for some seconds, until it has read the group's past.
 * Clients of ours gave their last commit up after two, joined as new members, and found nothing that said that nobody acts: each partition
 * stood still for the takeover wait (20 s at a destination with a long attempt), though the owner had waited for itself. Now the join
 * waits for the commit, which a broker that takes no commits would not take either.
 */
import { describe, expect, it } from 'vitest';
import { NotAMember } from '../../libs/kafka/src/consumer/group-session.js';
import { delivered, type Scene, scene } from './testing/scene.js';

class ProtocolError extends Error {
  constructor(
    readonly type: string,
    readonly retriable: boolean,
  ) {
    super(type);
  }
}

const notYet = new ProtocolError('NOT_COORDINATOR_FOR_GROUP', true);

interface Restart {
  readonly refusedForMs: number;
  readonly refusal?: Error;
  /** The client kept its membership. */
  readonly keepsMembership?: boolean;
  /** Time that passes altogether. */
  readonly passesMs?: number;
}

/** The client starts again and joins, while the broker refuses commits. @returns the milliseconds until it was assigned. */
async function restart(at: Scene, { refusedForMs, refusal = notYet, ...more }: Restart): Promise<number> {
  at.driver.commitFailure = refusal;
  at.clock.after(refusedForMs, () => {
    at.driver.commitFailure = undefined;
  });
  const startedAtMs = at.clock.now();
  let assignedAtMs = 0;
  const joining = at.join([0], !more.keepsMembership).then(() => {
    assignedAtMs = at.clock.now();
  });
  await at.clock.advance(more.passesMs ?? 60_000);
  await joining;
  return assignedAtMs - startedAtMs;
}

async function afterOneRecord(): Promise<Scene> {
  const at = await scene({ handler: async () => delivered });
  at.append('a', 'before');
  await at.run(1_000);
  return at;
}

describe('a client that starts again because its broker did', () => {
  it('goes on at once when the broker took its time to know the group', async () => {
    const at = await afterOneRecord();
    at.append('a', 'after');
    await restart(at, { refusedForMs: 7_000, passesMs: 7_500 });
    await at.run(1_000);
    expect(at.values).toEqual(['before', 'after']);
  });

  it.each<[string, Restart, number]>([
    ['is back soon', { refusedForMs: 1_000 }, 1_000],
    ['takes its time', { refusedForMs: 9_000 }, 9_000],
    ['never takes it', { refusedForMs: 60_000 }, 15_000],
    ['refuses it for good', { refusedForMs: 60_000, refusal: new ProtocolError('UNKNOWN_MEMBER_ID', false) }, 0],
    ['is not asked, because we have left', { refusedForMs: 60_000, refusal: new NotAMember('tests') }, 0],
    ['might end the membership that it keeps', { refusedForMs: 60_000, keepsMembership: true }, 2_000],
  ])(
    'waits with its join for the last commit, while it matters: the broker %s',
    async (_, circumstances, expectedMs) => {
      const waitedMs = await restart(await afterOneRecord(), circumstances);
      expect(waitedMs).toBeGreaterThanOrEqual(expectedMs);
      expect(waitedMs).toBeLessThanOrEqual(expectedMs + 500);
    },
  );

  it('stops without waiting for a broker that takes no commit', async () => {
    const at = await afterOneRecord();
    at.driver.commitFailure = notYet;
    let hasJoined = false;
    const joining = at.join([0], true).then(() => {
      hasJoined = true;
    });
    await at.clock.advance(500);
    const stopping = at.runtime.stop({ deadlineMs: 0 });
    await at.clock.advance(1_000);
    expect(hasJoined).toBe(true);
    await at.clock.advance(10_000);
    await Promise.all([joining, stopping]);
  });
});
