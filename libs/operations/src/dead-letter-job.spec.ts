import { describe, expect, it } from 'vitest';
import { DeadLetterJob, type JobOptions, planJob, type Redriven, type RedriveOutcome } from './dead-letter-job.js';
import { aDeadLetter, slackDeadLetters as dlt, headersOfDeath, worldOf } from './testing/dead-letter-world.js';

interface Told {
  readonly outcome: (one: Redriven, askedAtMs: number) => string | undefined;
}

/** A virtual clock that only sleeping moves. */
function jobOver(world: ReturnType<typeof worldOf>, over: Partial<JobOptions> = {}, told: Partial<Told> = {}) {
  let nowMs = 0;
  const sentAtMs: number[] = [];
  const outcome = told.outcome ?? (() => 'delivered');
  const job = new DeadLetterJob(
    {
      letters: {
        redrive: async (...args) => {
          const id = await world.letters.redrive(...args);
          sentAtMs.push(nowMs);
          return id;
        },
        discard: (...args) => world.letters.discard(...args),
      },
      outcomesOf: async (redriven) =>
        new Map(
          redriven.flatMap((one): [string, RedriveOutcome][] => {
            const how = outcome(one, nowMs);
            return how === undefined ? [] : [[one.letter.id, { outcome: how, reason: 'because' }]];
          }),
        ),
      nowMs: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms;
      },
    },
    {
      act: 'redrive',
      actor: 'ada',
      reason: 'mended',
      id: 'job-1',
      perSecond: 1_000,
      maxRedrives: 5,
      onProgress: () => {},
      ...over,
    },
  );
  return { job, sentAtMs };
}

const many = (count: number) => worldOf(Array.from({ length: count }, (_, offset) => aDeadLetter(offset)));

describe('a job', () => {
  it('keeps the order of the topic and its rate', async () => {
    const world = many(50);
    const { job, sentAtMs } = jobOver(world, { perSecond: 10 });
    const report = await job.run(world.letters.find([dlt]));
    expect(report).toMatchObject({ done: 50, refused: 0, canaries: [] });
    expect(sentAtMs).toEqual(Array.from({ length: 50 }, (_, n) => n * 100));
  });

  it('sends 1, 10, 100 and then all, each time only when those before were delivered', async () => {
    const world = many(250);
    const { job } = jobOver(world, { canary: { timeoutMs: 10_000 } });
    const report = await job.run(world.letters.find([dlt]));
    expect(report).toMatchObject({ done: 250 });
    expect(report.canaries).toEqual([
      { size: 1, outcomes: { delivered: 1 } },
      { size: 10, outcomes: { delivered: 9 } },
      { size: 100, outcomes: { delivered: 90 } },
    ]);
  });

  it('asks about the last ones too when there are fewer', async () => {
    const world = many(4);
    const { job } = jobOver(world, { canary: { timeoutMs: 10_000 } });
    const report = await job.run(world.letters.find([dlt]));
    expect(report.canaries.map(({ size }) => size)).toEqual([1, 4]);
  });

  it('stops at the first canary that dies again, and leaves the rest alone', async () => {
    const world = many(250);
    const outcome = ({ letter }: Redriven) => (letter.record.offset === 5n ? 'dead' : 'delivered');
    const { job } = jobOver(world, { canary: { timeoutMs: 10_000 } }, { outcome });
    const report = await job.run(world.letters.find([dlt]));
    expect(report).toMatchObject({ done: 10, stopped: expect.stringMatching(/2\/5 died again: because/) });
    expect(world.sent).toHaveLength(10);
  });

  it('stops when canaries are not settled in time', async () => {
    const world = many(250);
    const { job } = jobOver(world, { canary: { timeoutMs: 10_000 } }, { outcome: () => undefined });
    const report = await job.run(world.letters.find([dlt]));
    expect(report).toMatchObject({ done: 1, stopped: expect.stringMatching(/1 of 1 were not settled within 10 s/) });
  });

  it('waits as long as it takes within the limit', async () => {
    const world = many(3);
    const outcome = (_: Redriven, askedAtMs: number) => (askedAtMs > 9_000 ? 'delivered' : undefined);
    const { job } = jobOver(world, { canary: { timeoutMs: 10_000 } }, { outcome });
    expect(await job.run(world.letters.find([dlt]))).toMatchObject({ done: 3 });
  });

  it('leaves alone what others dealt with meanwhile and what was redriven too often, and says which', async () => {
    const parked = aDeadLetter(1, { rawHeaders: { ...headersOfDeath, 'x-redrive-count': '5' } });
    const world = worldOf([aDeadLetter(0), parked, aDeadLetter(2)], { [`${dlt}/2/2`]: 'discarded' });
    const { job } = jobOver(world);
    const report = await job.run(world.letters.find([dlt]));
    expect(report).toMatchObject({ done: 1, refused: 2 });
    expect(report.refusals.map(({ id }) => id)).toEqual([`${dlt}/2/1`, `${dlt}/2/2`]);
  });

  it('says how far it came when what it needs fails', async () => {
    const world = many(5);
    world.trouble.send = () => {
      if (world.sent.length === 3) throw new Error('Kafka is away');
    };
    const { job } = jobOver(world);
    await expect(job.run(world.letters.find([dlt]))).rejects.toThrow(
      `3 dead letters were done before ${dlt}/2/3 failed: Kafka is away`,
    );
  });

  it('discards without sending, and takes also what cannot be redriven', async () => {
    const world = worldOf([aDeadLetter(0, { topic: 'audit.records.v1.dlt' })]);
    const { job } = jobOver(world, { act: 'discard' });
    expect(await job.run(world.letters.find(['audit.records.v1.dlt']))).toMatchObject({ done: 1, refused: 0 });
    expect(world.sent).toEqual([]);
  });

  it('is planned without a change, by cause and connection', async () => {
    const other = { ...headersOfDeath, 'x-connection-id': 'other', 'x-error-message': 'later' };
    const parked = { ...headersOfDeath, 'x-redrive-count': '9' };
    const world = worldOf([
      aDeadLetter(0),
      aDeadLetter(1, { rawHeaders: other }),
      aDeadLetter(2, { rawHeaders: { ...headersOfDeath, 'x-error-fingerprint': 'def' } }),
      aDeadLetter(3, { rawHeaders: parked }),
    ]);
    const plan = await planJob(world.letters.find([dlt]), { act: 'redrive', maxRedrives: 5 });
    expect(plan).toMatchObject({ refused: 1, refusals: [{ id: `${dlt}/2/3` }] });
    expect(plan.groups.list()).toMatchObject([
      {
        fingerprint: 'abc',
        group: 'connector-slack',
        count: 2,
        connections: { out: 1, other: 1 },
        reason: 'later',
        example: `${dlt}/2/1`,
        firstSeen: '1970-01-01T00:00:01.000Z',
        lastSeen: '1970-01-01T00:00:01.001Z',
      },
      { fingerprint: 'def', count: 1 },
    ]);
    expect([world.sent, world.audits, world.acts.size]).toEqual([[], [], 0]);
  });

  it('groups in memory that does not grow with causes or connections', async () => {
    const records = Array.from({ length: 3_000 }, (_, n) =>
      aDeadLetter(n, {
        rawHeaders: { ...headersOfDeath, 'x-error-fingerprint': `f${n % 1_500}`, 'x-connection-id': `c${n}` },
      }),
    );
    const { groups } = await planJob(worldOf(records).letters.find([dlt]), { act: 'discard', maxRedrives: 5 });
    expect(groups.list()).toHaveLength(1_000);
    expect([groups.beyond, groups.total]).toEqual([1_000, 3_000]);
  });
});
