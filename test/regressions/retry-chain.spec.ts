/**
 * Retry topics of peers lose the order of a key, use the delay of another topic, grow headers and topics with each attempt, forget
 * due times, never end, or resend what was settled. Here a parked record is the lock of its key, carries its own due time and
 * attempts in headers that are replaced, and there is one retry topic and one dead-letter topic whatever the attempts.
 */
import { defaultRetrySchedule, settle } from '@tributary/domain';
import { describe, expect, it } from 'vitest';
import { delivered, outage, refusal, scene } from './testing/scene.js';

const later = (delayMs: number) => ({ to: 'retry', delayMs, failure: outage }) as const;
const hour = 3_600_000;

describe('the order of a key', () => {
  it('spring-kafka-920-order-in-retry: nothing of a key passes its parked record', async () => {
    let failures = 3;
    const at = await scene({
      handler: async (record) => (String(record.value) === 'a0' && failures-- > 0 ? later(30_000) : delivered),
    });
    for (const value of ['a0', 'a1', 'b0', 'a2']) at.append(value.charAt(0), value);
    await at.run(45_000);
    expect(at.values).toEqual(['a0', 'b0', 'a0']);
    await at.run(60_000);
    expect(at.values).toEqual(['a0', 'b0', 'a0', 'a0', 'a0', 'a1', 'a2']);
  });

  it('vector-8211-retry-reorders: order holds however the waits fall, and waits are spread', async () => {
    const waits = [700, 30_000, 1_500, 300_000, 12_000];
    const at = await scene({
      handler: async (_, { number }) => {
        const wait = waits[number - 1];
        return wait === undefined ? delivered : later(wait);
      },
    });
    for (let i = 0; i < 6; i++) at.append('k', `k${i}`);
    await at.run(6 * hour, 1_000);
    const order = at.values.filter((value, i) => value !== at.values[i - 1]);
    expect(order).toEqual(['k0', 'k1', 'k2', 'k3', 'k4', 'k5']);
    expect(at.committed()).toBe(6);
    const rules = { schedule: defaultRetrySchedule, unknownOutcome: 'retry' } as const;
    const delays = [0, 0.3, 0.99].map((random) =>
      settle({ kind: 'unavailable', reason: 'down' }, { attempt: 4, firstFailureMs: 0, nowMs: 0, random }, rules),
    );
    expect(new Set(delays.map((one) => (one.to === 'retry' ? one.delayMs : 0))).size).toBe(3);
  });

  it('ibm-kafka-retry-1-unique-key-overwrites: parked records keep the key they had, and none replaces another', async () => {
    const at = await scene({ handler: async (_, { number }) => (number === 1 ? later(30_000) : delivered) });
    for (const value of ['first', 'second']) at.append('same', value);
    at.append('other', 'third');
    await at.run(20_000);
    expect(at.parked().map(({ key, value }) => `${key} ${value}`)).toEqual(['same first', 'other third']);
    await at.run(100_000);
    expect([...new Set(at.values)].sort()).toEqual(['first', 'second', 'third']);
    expect(at.seen.every(({ value, key }) => key === (value === 'third' ? 'other' : 'same'))).toBe(true);
  });
});

describe('the wait of a record', () => {
  it('spring-kafka-1766-wrong-delay: each record waits for its own time, not for that of its topic or neighbour', async () => {
    const waits: Record<string, number> = { long: 300_000, short: 20_000, middle: 60_000 };
    const at = await scene({
      handler: async (record, { number }) => (number === 1 ? later(waits[String(record.value)] ?? 0) : delivered),
    });
    for (const value of Object.keys(waits)) at.append(value, value);
    await at.run(400_000);
    const waited = (value: string) => {
      const [first, second] = at.seen.filter((one) => one.value === value);
      return (second?.atMs ?? 0) - (first?.atMs ?? 0);
    };
    for (const [value, wait] of Object.entries(waits)) {
      expect(waited(value)).toBeGreaterThanOrEqual(wait);
      expect(waited(value)).toBeLessThan(wait + 1_000);
    }
  });

  it('kafka-connect-jdbc-1523-backoff-cut-short: neither new records nor commits nor a new owner end a wait early', async () => {
    const at = await scene({ handler: async (_, { number }) => (number === 1 ? later(60_000) : delivered) });
    at.append('a', 'a0');
    await at.run(1_000);
    const dueMs = (at.seen[0]?.atMs ?? 0) + 60_000;
    for (let i = 0; i < 10; i++) {
      at.append(`b${i}`, `b${i}`);
      await at.run(1_000);
    }
    await at.crash([0]);
    await at.run(20_000);
    await at.handOver([0]);
    await at.run(60_000);
    const again = at.seen.filter(({ value }) => value === 'a0');
    expect(again).toHaveLength(2);
    expect(again[1]?.atMs).toBeGreaterThanOrEqual(dueMs);
    expect(again[1]?.number).toBe(2);
  });

  it('spring-kafka-2565-due-while-unassigned: what became due while nobody owned the partition goes out on assignment', async () => {
    const at = await scene({ handler: async (_, { number }) => (number === 1 ? later(30_000) : delivered) });
    at.append('a', 'a0');
    await at.run(2_000);
    await at.assign([]);
    await at.run(120_000);
    expect(at.values).toEqual(['a0']);
    await at.assign([0]);
    await at.run(15_000);
    expect(at.values).toEqual(['a0', 'a0']);
    expect(at.runtime.snapshot().pauses).toEqual([]);
  });

  it('spring-kafka-2525-revoked-and-returned: a partition that comes back within the wait goes on after it', async () => {
    const at = await scene({ handler: async (_, { number }) => (number === 1 ? later(60_000) : delivered) });
    for (const value of ['a0', 'a1', 'b0']) at.append(value.charAt(0), value);
    await at.run(2_000);
    await at.assign([]);
    await at.assign([0]);
    await at.run(20_000);
    expect(at.values).toEqual(['a0', 'b0']);
    await at.run(130_000);
    expect(at.values.sort()).toEqual(['a0', 'a0', 'a1', 'a1', 'b0', 'b0']);
    expect(at.committed()).toBe(3);
  });
});

describe('the end of a retry', () => {
  it('parallel-consumer-196-no-max-attempts: a record that fails for ever ends in the dead-letter topic', async () => {
    const rules = { schedule: defaultRetrySchedule, unknownOutcome: 'retry' } as const;
    const at = await scene({
      handler: async (_, { number, firstFailureMs }) =>
        settle(
          { kind: 'unavailable', reason: 'down' },
          { attempt: number, firstFailureMs, nowMs: at.clock.now(), random: 0 },
          rules,
        ),
    });
    at.append('a', 'a0');
    for (let hours = 0; hours < 80; hours++) await at.run(hour, 60_000);
    expect(at.dead.map(({ headers }) => headers?.['x-error-class'])).toEqual(['expired']);
    expect(at.seen.length).toBeGreaterThan(50);
    expect(at.committed()).toBe(1);
  });

  it('redpanda-connect-415-endless-resend: attempts are bounded by age, and their number grows no faster than the schedule', async () => {
    const rules = { schedule: { ...defaultRetrySchedule, maxAgeMs: 10 * 60_000 }, unknownOutcome: 'retry' } as const;
    const at = await scene({
      handler: async (_, { number, firstFailureMs }) =>
        settle(
          { kind: 'unavailable', reason: 'down' },
          { attempt: number, firstFailureMs, nowMs: at.clock.now(), random: 0 },
          rules,
        ),
    });
    at.append('a', 'a0');
    await at.run(2 * hour, 1_000);
    expect(at.dead).toHaveLength(1);
    // 1, 2 and 4 s, 30 s, 5 min; the next would pass the limit.
    expect(at.seen).toHaveLength(6);
  });

  it('nest-14664-retry-then-dlt: so many attempts, then the dead-letter topic, then the next record of the key', async () => {
    const at = await scene({
      handler: async (record, { number }) => {
        if (String(record.value) !== 'a0') return delivered;
        return number < 4 ? later(20_000) : { to: 'deadLetter', failure: outage };
      },
    });
    for (const value of ['a0', 'a1']) at.append('a', value);
    await at.run(120_000);
    expect(at.seen.map(({ value, number }) => `${value}#${number}`)).toEqual(['a0#1', 'a0#2', 'a0#3', 'a0#4', 'a1#1']);
    expect(at.dead.map(({ value }) => String(value))).toEqual(['a0']);
  });

  it('spring-kafka-2118-fatal-loses-dlt: a refusal at the first attempt is in the dead-letter topic', async () => {
    const at = await scene({ handler: async () => ({ to: 'deadLetter', failure: refusal }) });
    at.append('a', 'a0');
    await at.run(2_000);
    expect(at.parked()).toEqual([]);
    expect(at.dead).toMatchObject([
      { topic: 'main.dlt', headers: { 'x-error-class': 'rejected', 'x-retry-attempt': '1' } },
    ]);
    expect(at.committed()).toBe(1);
  });

  it('spring-kafka-2116-three-classes: waiting in place, in the retry topic and not at all go together in one consumer', async () => {
    const at = await scene({
      handler: async (record, { number }) => {
        const kind = String(record.value);
        if (number > 1 || kind === 'good') return delivered;
        if (kind === 'fatal') return { to: 'deadLetter', failure: refusal };
        return later(kind === 'short' ? 1_000 : 60_000);
      },
    });
    for (const value of ['short', 'long', 'fatal', 'good']) at.append(value, value);
    await at.run(70_000);
    expect(at.seen.filter(({ number }) => number === 2).map(({ value, topic }) => `${value} ${topic}`)).toEqual([
      'short main',
      'long main.retry',
    ]);
    expect(at.dead.map(({ value }) => String(value))).toEqual(['fatal']);
    expect(at.committed()).toBe(4);
  });
});

describe('what lies in the retry topic', () => {
  it('spring-kafka-1994-header-growth: headers are as large after 200 attempts as after two', async () => {
    const at = await scene({ handler: async (_, { number }) => (number <= 200 ? later(20_000) : delivered) });
    at.append('a', 'a0', 0, { 'x-connection-id': 'c1', traceparent: '00-1' });
    await at.run(205 * 21_000, 1_000);
    const sizes = at.parked().map(({ headers }) => JSON.stringify(headers).length);
    expect(sizes).toHaveLength(200);
    // Only the digits of the attempt grow.
    expect(Math.max(...sizes) - (sizes[1] ?? 0)).toBeLessThanOrEqual(2);
    expect(at.committed()).toBe(1);
  });

  it('spring-kafka-2497-topic-explosion: one retry topic and one dead-letter topic, whatever the attempts', async () => {
    const at = await scene({
      handler: async (_, { number }) => (number < 12 ? later(20_000 * number) : { to: 'deadLetter', failure: outage }),
    });
    at.append('a', 'a0');
    await at.run(hour, 1_000);
    expect(at.seen).toHaveLength(12);
    expect([...at.broker.logs.keys()].sort()).toEqual(['main.dlt:0', 'main.retry:0', 'main:0']);
  });

  it('spring-kafka-2010-settled-in-retry-topic: a new owner that reads the retry topic resends nothing that was settled', async () => {
    const at = await scene({ handler: async (_, { number }) => (number === 1 ? later(20_000) : delivered) });
    for (let i = 0; i < 5; i++) at.append(`k${i}`, `v${i}`);
    at.append('late', 'late');
    await at.run(30_000);
    expect(at.seen).toHaveLength(12);
    await at.handOver([0]);
    await at.run(60_000);
    await at.crash([0]);
    await at.run(60_000);
    expect(at.seen).toHaveLength(12);
  });
});
