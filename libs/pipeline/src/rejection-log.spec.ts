import { describe, expect, it } from 'vitest';
import { type Rejection, RejectionLog } from './rejection-log.js';
import { anotherTurn } from './testing/another-turn.js';
import { away, memoryWorld } from './testing/world.js';

const aRejection = (over: Partial<Rejection> = {}): Rejection => ({
  tenant: 'acme',
  source: 'test',
  connectionId: 'in',
  status: 401,
  code: 'signature-wrong',
  reason: 'no',
  payloadDigest: 'd',
  ...over,
});

function world() {
  const { writer, audit, audits } = memoryWorld();
  const clock = { now: 0 };
  const lost: unknown[] = [];
  const log = new RejectionLog({
    audit,
    actor: 'ingress/1',
    nowMs: () => clock.now,
    onLost: (rejection, error) => lost.push([rejection, error]),
  });
  return { writer, audits, clock, lost, log };
}

describe('RejectionLog', () => {
  it('writes the first ten of a kind in ten seconds, and says later how many it left out', async () => {
    const { log, audits, clock } = world();
    for (let i = 0; i < 100; i++) log.note(aRejection());
    clock.now = 10_000;
    log.note(aRejection());
    await anotherTurn();
    const counts = (await audits()).map(({ details }) => Number(details.count));
    expect(counts).toEqual([...Array.from({ length: 10 }, () => 1), 91]);
    expect(counts.reduce((sum, count) => sum + count)).toBe(101);
  });

  it('keeps connections and codes apart', async () => {
    const { log, audits } = world();
    for (let i = 0; i < 20; i++) log.note(aRejection());
    log.note(aRejection({ connectionId: 'other' }));
    log.note(aRejection({ code: 'stale' }));
    await anotherTurn();
    expect(await audits()).toHaveLength(12);
  });

  it('is not filled by whoever makes connections up', async () => {
    const { log, audits } = world();
    const { tenant, source, ...unknown } = aRejection({ code: 'connection-unknown', status: 404 });
    for (let i = 0; i < 5_000; i++) log.note({ ...unknown, connectionId: `made-up-${i}` });
    await anotherTurn();
    expect(await audits()).toHaveLength(10);
  });

  it('says when one could not be written, and never fails the answer', async () => {
    const { log, lost, writer } = world();
    writer.trouble = () => {
      throw away();
    };
    log.note(aRejection());
    await anotherTurn();
    expect(lost).toEqual([[aRejection(), expect.objectContaining({ retryable: true })]]);
  });
});
