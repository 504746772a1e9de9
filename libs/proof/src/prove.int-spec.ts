import type { AuditRecord } from '@tributary/contracts';
import type { SettledOutcome } from '@tributary/domain';
import { describe, expect, it } from 'vitest';
import {
  accepted,
  all,
  eventsTopic,
  findingsOf,
  id,
  type Name,
  offsets,
  operated,
  planned,
  proofOf,
  rawTopic,
  settled,
  story,
} from './testing/proof-world.js';

describe('the proof', () => {
  it('closes over a whole story, and adds it up', async () => {
    const report = await proofOf();
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({
      closes: true,
      sources: [{ source: 'gusto', accepted: 6, normalized: 3, duplicate: 1, filtered: 1, dead: 1, waiting: 0 }],
      domains: [{ domain: 'people', events: 4, routed: 4, dead: 0, waiting: 0 }],
      destinations: [
        { destination: 'slack', planned: 3, delivered: 3, dead: 0, discarded: 0, waiting: 0 },
        { destination: 'http', planned: 1, delivered: 1, dead: 0, discarded: 0, waiting: 0 },
      ],
      ledger: { records: 14, rows: 14, waiting: 0 },
    });
  });

  it('closes over nothing', async () => {
    const nothing = Object.fromEntries(Object.keys(offsets).map((topic) => [topic, all(0)]));
    const report = await proofOf({ without: Object.keys(story) as Name[], offsets: nothing });
    expect(report).toMatchObject({ closes: true, sources: [], domains: [], destinations: [] });
  });

  it.each<[Name, RegExp]>([
    ['raw 0', /^raw\.gusto\.v1: .*partition 0 offset 0: committed by the normalizer without a record/],
    ['raw 3', /^raw\.gusto\.v1: .*partition 0 offset 3: committed by the normalizer/],
    ['raw 5', /^raw\.gusto\.v1: .*partition 0 offset 5: committed by the normalizer/],
  ])('names a committed %s that nobody tells about, and the sum that does not close', async (name, finding) => {
    expect(await findingsOf({ without: [name] })).toEqual([
      expect.stringMatching(finding),
      expect.stringMatching(/^raw\.gusto\.v1: accepted 6 is not .* = 5$/),
    ]);
  });

  it('names a run of offsets as one', async () => {
    const [finding] = await findingsOf({ without: ['raw 2', 'raw 3', 'raw 4'] });
    expect(finding).toMatch(/offsets 2 to 4: committed by the normalizer/);
  });

  it('names an event that was committed and never planned, and what was delivered of it', async () => {
    expect(await findingsOf({ without: ['event 2'] })).toEqual([
      expect.stringMatching(
        /^raw\.gusto\.v1: event e5:0 of \/acme\/in .*raw\.gusto\.v1 0:5.* never reached the router$/,
      ),
      expect.stringMatching(/^events\.people\.v1: .*offset 2: committed by the router/),
      expect.stringMatching(/^events\.people\.v1: events 4 is not routed \+ dead \+ waiting = 3$/),
      `slack: delivery ${id('e5:0', 'slack')} was settled and no router planned it`,
    ]);
  });

  it('names an event that was normalized and is not in the events topic', async () => {
    const world = { without: ['event 1'] as const, offsets: { [eventsTopic]: all(3) } };
    const moved = [planned(1, 'e5:0', 'slack'), planned(2, 'e5:1', 'slack')];
    expect(await findingsOf({ ...world, without: ['event 1', 'event 2', 'event 3'], more: moved })).toEqual([
      expect.stringMatching(/event e1 of \/acme\/in .* was normalized and never reached the router/),
    ]);
  });

  it('names a delivery that was committed without an end', async () => {
    expect(await findingsOf({ without: ['slack 1'] })).toEqual([
      expect.stringMatching(/^delivery\.slack\.v1: .*offset 1: committed by the connector/),
      `slack: delivery ${id('e5:0', 'slack')} was planned, is not settled and does not wait in delivery.slack.v1`,
    ]);
  });

  it('names a delivery that was planned and never written', async () => {
    expect(await findingsOf({ without: ['http 0'], offsets: { 'delivery.http.v1': all(0) } })).toEqual([
      `http: delivery ${id('e0', 'http')} was planned, is not settled and does not wait in delivery.http.v1`,
    ]);
  });

  it('names a delivery that was settled and never planned', async () => {
    const more = [settled({ offset: 3, eventId: 'forged', destination: 'slack' })];
    expect(await findingsOf({ more, offsets: { 'delivery.slack.v1': all(4) } })).toEqual([
      `slack: delivery ${id('forged', 'slack')} was settled and no router planned it`,
    ]);
  });

  it.each([0, 7, 13])('names row %i that the ledger lost', async (hole) => {
    const findings = await findingsOf({ holes: [hole] });
    expect(findings).toContainEqual(
      expect.stringContaining(`ledger: audit.records.v1 partition 0 offset ${hole}: the row is missing`),
    );
  });

  it('names the rows that a restored backup no longer has', async () => {
    const report = proofOf({ offsets: { 'audit.records.v1': all(16) } });
    expect((await report).findings).toEqual([
      { where: 'ledger', what: expect.stringContaining('offsets 14 to 15: the row is missing') },
    ]);
  });

  it('says when the ledger did not catch up', async () => {
    expect(await findingsOf({ ledgerInTime: false })).toEqual([expect.stringContaining('is it running?')]);
  });

  it('counts what is not committed yet as waiting, not as lost', async () => {
    const report = await proofOf({
      offsets: {
        [rawTopic]: { partition: 0, low: 0, high: 8, committed: 6 },
        [eventsTopic]: { partition: 0, low: 0, high: 5, committed: 4 },
        'delivery.slack.v1': { partition: 0, low: 0, high: 4, committed: undefined },
        'audit.records.v1': { partition: 0, low: 0, high: 20, committed: 14 },
      },
    });
    expect(report.findings).toEqual([]);
    expect(report.sources).toMatchObject([{ accepted: 8, waiting: 2 }]);
    expect(report.domains).toMatchObject([{ events: 5, waiting: 1 }]);
    expect(report.ledger).toEqual({ records: 20, rows: 14, waiting: 6 });
  });

  it('counts many that wait between finished ones', async () => {
    const finished = Array.from({ length: 500 }, (_, i) => accepted(7 + i * 2, 'filtered'));
    const report = await proofOf({
      more: finished,
      offsets: { [rawTopic]: { partition: 0, low: 0, high: 1006, committed: 6 } },
    });
    expect(report.findings).toEqual([]);
    expect(report.sources).toMatchObject([{ accepted: 1006, filtered: 501, waiting: 500 }]);
  });

  it('does not call lost what was planned and written after the positions were read', async () => {
    const report = await proofOf({
      more: [accepted(6, 'normalized', ['e6']), planned(4, 'e7', 'slack')],
      offsets: {
        [rawTopic]: { partition: 0, low: 0, high: 7, committed: 6 },
        [eventsTopic]: { partition: 0, low: 0, high: 5, committed: 4 },
      },
    });
    expect(report.findings).toEqual([]);
  });

  it('closes over a time range or what retention left', async () => {
    const report = await proofOf({
      offsets: {
        [rawTopic]: all(6, 3),
        [eventsTopic]: all(4, 2),
        'delivery.slack.v1': all(3, 1),
        'delivery.http.v1': all(1, 1),
      },
    });
    expect(report.findings).toEqual([]);
    expect(report.sources).toMatchObject([{ accepted: 3, normalized: 1, filtered: 1, dead: 1 }]);
    expect(report.destinations).toMatchObject([{ destination: 'slack', planned: 2, delivered: 2 }]);
  });

  it('counts an event that was written twice once, and its deliveries too', async () => {
    const report = await proofOf({
      more: [
        planned(4, 'e0', 'slack', 'http'),
        settled({ offset: 3, eventId: 'e0', destination: 'slack' }),
        settled({ offset: 1, eventId: 'e0', destination: 'http' }),
      ],
      offsets: { [eventsTopic]: all(5), 'delivery.slack.v1': all(4), 'delivery.http.v1': all(2) },
    });
    expect(report.findings).toEqual([]);
    expect(report.destinations).toMatchObject([
      { planned: 3, delivered: 3 },
      { planned: 1, delivered: 1 },
    ]);
  });

  it('counts a fact that was told twice once', async () => {
    const report = await proofOf({ more: [story['raw 0'], story['slack 0']] });
    expect(report.findings).toEqual([]);
    expect(report.sources).toMatchObject([{ accepted: 6, normalized: 3 }]);
  });

  describe('of a dead delivery', () => {
    const dead = settled({ offset: 0, eventId: 'e0', destination: 'http', outcome: 'dead' });
    const again = (outcome: SettledOutcome, laterMs: number) =>
      settled({ offset: 0, eventId: 'e0', destination: 'http', outcome, redrive: 'r1', laterMs });

    it.each<[string, AuditRecord[], object]>([
      ['that nobody treated', [], { dead: 1 }],
      ['that was discarded', [operated('discarded', 'e0', 'http', 1)], { discarded: 1 }],
      ['that was redriven', [operated('redriven', 'e0', 'http', 1)], { waiting: 1 }],
      [
        'that was redriven and delivered',
        [operated('redriven', 'e0', 'http', 1), again('delivered', 2)],
        { delivered: 1 },
      ],
      ['that was redriven and died again', [operated('redriven', 'e0', 'http', 1), again('dead', 2)], { dead: 1 }],
    ])('%s', async (_, more, counted) => {
      const { findings, destinations } = await proofOf({ without: ['http 0'], more: [dead, ...more] });
      expect(findings).toEqual([]);
      const nothing = { delivered: 0, dead: 0, discarded: 0, waiting: 0 };
      expect(destinations[1]).toEqual({ destination: 'http', planned: 1, ...nothing, ...counted });
    });
  });
});
