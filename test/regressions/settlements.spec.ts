/**
 * What a reply means is decided in one place: peers retry refusals like outages, lose what was answered 401, or stop at a record
 * without a value. And what a handler sends on and what becomes of its record never disagree.
 */

import { type HttpReply, outcomeFromStatus } from '@tributary/connector-kit';
import { defaultRetrySchedule, InfrastructureUnavailable, type Settlement, settle } from '@tributary/domain';
import { describe, expect, it } from 'vitest';
import { delivered, scene } from './testing/scene.js';

const rules = { schedule: defaultRetrySchedule, unknownOutcome: 'retry' } as const;
const facts = { attempt: 1, firstFailureMs: undefined, nowMs: 0, random: 0 };

function settlementOf(status: number): Settlement {
  const reply = { kind: 'reply', status, body: Buffer.from(''), header: () => undefined } as unknown as HttpReply;
  return settle(outcomeFromStatus(reply, 0), facts, rules);
}

describe('settlements', () => {
  it('aiven-http-400-retried-like-503: a 400 is dead at once, a 503 is tried again', async () => {
    expect(settlementOf(400)).toMatchObject({ to: 'deadLetter', failure: { errorClass: 'rejected', code: '400' } });
    expect(settlementOf(503)).toMatchObject({ to: 'retry', failure: { errorClass: 'unavailable', code: '503' } });
    const at = await scene({ handler: async () => settlementOf(400) });
    at.append('a', 'a0');
    await at.run(60_000);
    expect(at.seen).toHaveLength(1);
    expect(at.dead).toHaveLength(1);
  });

  it('vector-24543-silent-loss-on-401: records of a suspended connection wait, uncommitted, and flow after the repair', async () => {
    let status = 401;
    const at = await scene({ handler: async () => (status === 401 ? settlementOf(401) : delivered) });
    for (let i = 0; i < 3; i++) at.append('a', `a${i}`, 0, { 'x-connection-id': 'c1' });
    await at.run(3 * 3_600_000, 60_000);
    expect(settlementOf(401)).toMatchObject({ to: 'suspend' });
    expect(at.seen).toHaveLength(1);
    expect(at.dead).toEqual([]);
    expect(at.committed() ?? 0).toBe(0);
    status = 200;
    at.runtime.resumeScope('c1');
    await at.run(2_000);
    expect(at.values.slice(1)).toEqual(['a0', 'a1', 'a2']);
    expect(at.committed()).toBe(3);
  });

  it('aiven-http-null-value: a record without a value is handled, parked and buried like any other', async () => {
    const at = await scene({
      handler: async (record, { number }) => {
        expect(record.value).toBeNull();
        return number === 1
          ? { to: 'retry', delayMs: 20_000, failure: { errorClass: 'unavailable', reason: 'down' } }
          : {
              to: 'deadLetter',
              failure: { errorClass: 'invalid', code: 'no-value', reason: 'a tombstone is no delivery' },
            };
      },
    });
    at.append('a', null);
    at.append('b', null);
    await at.run(60_000);
    expect(at.seen.map(({ number }) => number)).toEqual([1, 1, 2, 2]);
    expect(at.dead.map(({ value, headers }) => [value, headers?.['x-error-code']])).toEqual([
      [null, 'no-value'],
      [null, 'no-value'],
    ]);
    expect(at.committed()).toBe(2);
    expect(at.fatal).toEqual([]);
  });

  it('spring-kafka-2934-forward-despite-failure: a record is not committed until all that it led to was written', async () => {
    const written: string[] = [];
    let isDown = true;
    const at = await scene({
      handler: async (record) => {
        for (const part of ['one', 'two']) {
          if (part === 'two' && isDown) throw new InfrastructureUnavailable('Kafka');
          written.push(`${record.value}/${part}`);
        }
        return delivered;
      },
    });
    at.append('a', 'a0');
    await at.run(20_000);
    expect(at.committed() ?? 0).toBe(0);
    expect(written).not.toContain('a0/two');
    isDown = false;
    await at.run(40_000);
    expect(written.slice(-2)).toEqual(['a0/one', 'a0/two']);
    expect(at.committed()).toBe(1);
    expect(at.seen.every(({ number }) => number === 1)).toBe(true);
  });
});
