import { describe, expect, it } from 'vitest';
import type { StandingRecord, Surroundings } from './ports.js';
import {
  accepted,
  all,
  eventsTopic,
  findingsOf,
  id,
  january,
  operated,
  planned,
  proofOf,
  rawTopic,
  settled,
  standing,
} from './testing/proof-world.js';

const topic = 'delivery.http.v1';
const retry = 'delivery.http.v1.retry';
/** `http 0` was not settled: what stands in its stead says why. */
const without = ['http 0'] as const;
const uncommitted = { [topic]: { partition: 0, low: 0, high: 1, committed: 0 } };
const inMain = standing({ topic, offset: 0, eventId: 'e0', destination: 'http' });
const inRetry = (more: Partial<StandingRecord> = {}) =>
  standing({ topic: retry, offset: 7, origin: 0, eventId: 'e0', destination: 'http', more });
/** Of the same key and connection, and earlier than `http 0` can be: `http 0` stands at offset 1 then. */
const head = (more: Partial<StandingRecord>) =>
  standing({ topic: retry, offset: 5, origin: 0, eventId: 'e9', destination: 'http', more });
const second = standing({ topic, offset: 1, eventId: 'e0', destination: 'http' });
const isHeld = { [topic]: { partition: 0, low: 1, high: 2, committed: 1 } };

const suspension = { reason: '401 from http', by: 'connector-http/1', sinceMs: january, untilMs: null };
const gate = {
  group: 'connector-http',
  connectionId: 'http',
  kind: 'closed',
  reason: '429',
  until: '2026-01-15T00:01:00Z',
};

interface Case {
  readonly standing?: readonly StandingRecord[];
  readonly parked?: readonly StandingRecord[];
  readonly around?: Partial<Surroundings>;
  readonly offsets?: typeof uncommitted;
  readonly expected: object;
}

describe('an open delivery', () => {
  it.each<[string, Case]>([
    [
      'of a suspended connection',
      {
        standing: [inMain],
        around: { suspensions: new Map([['http', suspension]]) },
        expected: {
          cause: 'suspended',
          why: expect.stringMatching(
            /^connection http is suspended since 2026-01-15.* by connector-http\/1: 401 from http$/,
          ),
          place: 'delivery.http.v1/0/0',
          until: null,
          command: 'tributary resume http --reason "<why>"',
        },
      },
    ],
    [
      'whose key a dead letter holds',
      {
        standing: [second],
        parked: [head({ holdsFor: 'delivery.http.v1.dlt/0/3' })],
        offsets: isHeld,
        expected: {
          cause: 'behind-dead-letter',
          why: expect.stringContaining('dead letter delivery.http.v1.dlt/0/3 holds the key'),
          command: 'tributary dlt redrive delivery.http.v1.dlt/0/3 --reason "<why>"',
        },
      },
    ],
    [
      'behind an earlier record of its key',
      {
        standing: [second],
        parked: [head({ attempts: 2 })],
        offsets: isHeld,
        expected: { cause: 'behind-key', why: 'delivery.http.v1.retry/0/5 is before it and has the same key' },
      },
    ],
    [
      'before a closed gate',
      {
        standing: [inMain],
        around: { gates: [gate] },
        expected: { cause: 'gate-closed', until: gate.until, why: expect.stringContaining('(closed): 429') },
      },
    ],
    [
      'that waits in the retry topic',
      {
        parked: [inRetry({ attempts: 4, dueMs: january + 60_000, firstFailureMs: january - 30_000 })],
        offsets: { [topic]: { partition: 0, low: 0, high: 1, committed: 1 } },
        expected: {
          cause: 'waits-for-retry',
          place: 'delivery.http.v1.retry/0/7',
          since: '2026-01-14T23:59:30.000Z',
          until: '2026-01-15T00:01:00.000Z',
        },
      },
    ],
    [
      'that nobody consumes',
      {
        standing: [inMain],
        around: { members: new Map([['connector-http', 0]]) },
        expected: { cause: 'no-consumer', command: 'start connector-http' },
      },
    ],
    [
      'that nothing holds',
      { standing: [inMain], around: { members: new Map([['connector-http', 1]]) }, expected: { cause: 'in-line' } },
    ],
  ])('%s says so', async (_, { expected, offsets = uncommitted, ...world }) => {
    const report = await proofOf({ ...world, without, offsets });
    expect(report.findings).toEqual([]);
    const [item] = report.open.filter((one) => one.id === id('e0', 'http'));
    expect(item).toMatchObject({ stage: 'connector', where: 'http', tenant: 'acme', key: 'acme:s1', ...expected });
  });

  it('is lost when its group finished it and no copy of it stands anywhere', async () => {
    const offsets = { [topic]: { ...uncommitted[topic], committed: 1 } };
    expect(await findingsOf({ without, offsets })).toEqual([
      expect.stringMatching(/offset 0: committed by the connector without a record/),
      expect.stringMatching(/was planned, is not settled and does not wait/),
    ]);
  });

  it('is lost when its group marked it finished above what it committed', async () => {
    const offsets = { [topic]: { partition: 0, low: 0, high: 3, committed: 1, finished: [{ from: 2, to: 3 }] } };
    const more = [settled({ offset: 0, eventId: 'e0', destination: 'http' })];
    const found = await findingsOf({ without, more, offsets });
    expect(found).toEqual([expect.stringMatching(/offset 2: committed by the connector without a record/)]);
  });

  it('that was redriven is open, and not lost, where its copy stands', async () => {
    const more = [
      settled({ offset: 0, eventId: 'e0', destination: 'http', outcome: 'dead' }),
      operated('redriven', 'e0', 'http', 1),
    ];
    const parked = [inRetry({ attempts: 0 })];
    expect(await proofOf({ without, more, parked })).toMatchObject({
      findings: [],
      open: [{ id: id('e0', 'http'), place: 'delivery.http.v1.retry/0/7' }],
    });
  });

  it('is counted beyond the number that is to be explained', async () => {
    const report = await proofOf({ standing: [inMain], without, offsets: uncommitted, scope: { mostOpen: 0 } });
    expect(report).toMatchObject({ open: [], moreOpen: 1, closes: true });
  });
});

describe('a record that waits before another stage', () => {
  const waiting = {
    standing: [
      standing({ topic: rawTopic, offset: 6, eventId: '', key: 'acme:in:s1' }),
      standing({ topic: eventsTopic, offset: 4, eventId: 'e7' }),
    ],
    offsets: {
      [rawTopic]: { partition: 0, low: 0, high: 7, committed: 6 },
      [eventsTopic]: { partition: 0, low: 0, high: 5, committed: 4 },
    },
  };

  it('is named with its place', async () => {
    const members = new Map([['router', 0]]);
    const report = await proofOf({ ...waiting, around: { members } });
    expect(report.findings).toEqual([]);
    expect(report.open).toMatchObject([
      { stage: 'normalizer', where: rawTopic, place: 'raw.gusto.v1/0/6', cause: 'in-line' },
      { stage: 'router', where: eventsTopic, id: 'e7', place: 'events.people.v1/0/4', cause: 'no-consumer' },
    ]);
  });

  it('does not hide an event that never came', async () => {
    const more = [accepted(6, 'normalized', ['e7']), accepted(7, 'normalized', ['gone'])];
    const offsets = { ...waiting.offsets, [rawTopic]: all(8) };
    expect(await findingsOf({ ...waiting, more, offsets })).toEqual([
      expect.stringMatching(/^raw\.gusto\.v1: event gone of .* never reached the router$/),
    ]);
  });
});

describe('a proof of one tenant', () => {
  const globex = [accepted(6, 'filtered', ['g1'], 'globex'), accepted(7, 'dead', ['g2'], 'globex')];

  it('adds up what is of that tenant', async () => {
    const world = { more: globex, offsets: { [rawTopic]: all(8) } };
    const acme = await proofOf({ ...world, scope: { tenant: 'acme' } });
    expect(acme).toMatchObject({ closes: true, tenant: 'acme', sources: [{ accepted: 6, filtered: 1, dead: 1 }] });
    expect(acme.destinations).toMatchObject([
      { destination: 'slack', planned: 3 },
      { destination: 'http', planned: 1 },
    ]);
  });

  it('of whom little is there says little', async () => {
    const world = { more: globex, offsets: { [rawTopic]: all(8) }, scope: { tenant: 'globex' } };
    expect(await proofOf(world)).toMatchObject({
      closes: true,
      sources: [{ accepted: 2, normalized: 0, filtered: 1, dead: 1, waiting: 0 }],
      domains: [],
      destinations: [],
    });
  });

  it.each([
    ['acme', 0],
    ['globex', 1],
  ])('counts what waits, and names what is lost, of %s', async (tenant, count) => {
    const report = await proofOf({
      more: [accepted(6, 'filtered', ['g1'], 'globex')],
      standing: [
        standing({ topic: rawTopic, offset: 7, eventId: '', key: 'globex:in:s' }),
        standing({ topic: rawTopic, offset: 8, eventId: '', key: 'globex:in:s' }),
      ],
      offsets: { [rawTopic]: { partition: 0, low: 0, high: 9, committed: 8 } },
      scope: { tenant },
    });
    expect(report.findings).toHaveLength(count * 2);
    expect(report.sources[0]?.waiting).toBe(count);
    expect(report.open).toHaveLength(count);
  });
});

describe('a proof of one event', () => {
  it('follows it through all stages', async () => {
    expect(await proofOf({ scope: { event: 'e0' } })).toMatchObject({
      closes: true,
      event: 'e0',
      sources: [{ accepted: 1, normalized: 1 }],
      domains: [{ events: 1, routed: 1 }],
      destinations: [
        { destination: 'slack', planned: 1, delivered: 1 },
        { destination: 'http', planned: 1, delivered: 1 },
      ],
    });
  });

  it('that was one of several of a raw record finds the raw record', async () => {
    const report = await proofOf({ scope: { event: 'e5:1' } });
    expect(report).toMatchObject({ closes: true, sources: [{ accepted: 1 }], domains: [{ events: 1 }] });
  });

  it.each([
    ['that was never routed', { without: ['event 1'] as const, scope: { event: 'e1' } }, /never reached the router/],
    ['whose delivery is lost', { without, offsets: { [topic]: all(0) }, scope: { event: 'e0' } }, /does not wait in/],
    ['that nobody knows', { scope: { event: 'nobody' } }, /nothing is known about event nobody/],
  ])('%s does not close', async (_, world, finding) => {
    expect(await findingsOf(world)).toContainEqual(expect.stringMatching(finding));
  });

  it('is not disturbed by what is lost of others', async () => {
    const report = await proofOf({ without: ['raw 2', 'event 2', 'slack 1'], scope: { event: 'e0' } });
    expect(report.findings).toEqual([]);
  });
});

describe('an event that was planned twice', () => {
  it('is open once', async () => {
    const more = [planned(4, 'e0', 'slack', 'http')];
    const offsets = { ...uncommitted, [eventsTopic]: all(5) };
    const report = await proofOf({ without, more, offsets, standing: [inMain] });
    expect(report.open.map((one) => one.id)).toEqual([id('e0', 'http')]);
  });
});
