import type { IncomingRecord, OutgoingRecord } from '@tributary/kafka';
import { describe, expect, it } from 'vitest';
import type { DeadLetterState } from './dead-letter.js';
import { DeadLetters, NotADeadLetter, parseId, summaryOf } from './dead-letters.js';
import { type AuditRecordFacts, auditOf } from './facts.js';

const dlt = 'delivery.slack.v1.dlt';
const died = {
  ce_id: 'e1',
  ce_source: '/acme/in',
  ce_type: 'people.employee.onboarded',
  ce_tenant: 'acme',
  traceparent: '00-1',
  'x-delivery-id': 'd1',
  'x-connection-id': 'out',
  'x-origin-topic': 'delivery.slack.v1',
  'x-origin-partition': '2',
  'x-origin-offset': '77',
  'x-retry-attempt': '3',
  'x-retry-first-failure-ms': '5',
  'x-error-class': 'rejected',
  'x-error-code': '404',
  'x-error-message': 'no such channel',
  'x-error-fingerprint': 'abc',
};

function aLetter(offset: number, over: Partial<IncomingRecord> = {}): IncomingRecord {
  const rawHeaders = over.rawHeaders ?? died;
  return {
    topic: dlt,
    partition: 2,
    offset: BigInt(offset),
    timestampMs: 1_000 + offset,
    key: Buffer.from('acme:7'),
    value: Buffer.from([0, 1, 2]),
    headers: Object.fromEntries(Object.entries(rawHeaders).map(([name, value]) => [name, String(value)])),
    rawHeaders,
    ...over,
  };
}

function world(records: IncomingRecord[], states: Record<string, DeadLetterState> = {}) {
  const sent: OutgoingRecord[] = [];
  const audits: AuditRecordFacts[] = [];
  const trouble = { send: () => {} };
  const letters = new DeadLetters({
    scan: async (topic, onRecord) => {
      for (const record of records) if (record.topic === topic) onRecord(record);
    },
    statesOf: async () => new Map(Object.entries(states)),
    send: async (record) => {
      trouble.send();
      sent.push(record);
    },
    audit: async (facts) => void audits.push(facts),
  });
  return { letters, sent, audits, trouble };
}

describe('DeadLetters', () => {
  it.each([
    [{ connection: 'out' }, [0, 1]],
    [{ connection: 'other' }, [2]],
    [{ errorClass: 'expired' }, [1]],
    [{ fingerprint: 'abc' }, [0, 1, 2]],
    [{ key: 'acme:7' }, [0, 1]],
    [{ sinceMs: 1_001 }, [1, 2]],
    [{ connection: 'out', sinceMs: 1_001 }, [1]],
    [{}, [0, 1, 2]],
    [{ key: '' }, []],
  ])('lists those that match %j', async (filter, offsets) => {
    const { letters } = world([
      aLetter(0),
      aLetter(1, { rawHeaders: { ...died, 'x-error-class': 'expired' } }),
      aLetter(2, { rawHeaders: { ...died, 'x-connection-id': 'other' }, key: null }),
    ]);
    expect((await letters.list(dlt, filter)).map(({ record }) => Number(record.offset))).toEqual(offsets);
  });

  it('says where each stands', async () => {
    const { letters } = world([aLetter(0), aLetter(1)], { [`dead-letter:${dlt}/2/1`]: 'discarded' });
    expect((await letters.list(dlt)).map(({ id, state }) => [id, state])).toEqual([
      [`${dlt}/2/0`, 'open'],
      [`${dlt}/2/1`, 'discarded'],
    ]);
  });

  it('sends one through its own chain again: same key, partition, value and delivery id', async () => {
    const { letters, sent, audits } = world([aLetter(0)]);
    const letter = await letters.show(`${dlt}/2/0`);
    const redriveId = await letters.redrive(letter, 'ada', 'channel is back');
    const { 'x-retry-attempt': _a, 'x-retry-first-failure-ms': _f, ...rest } = died;
    const kept = Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith('x-error-')));
    expect(sent).toMatchObject([
      { topic: 'delivery.slack.v1.retry', partition: 2, key: letter.record.key, value: letter.record.value },
    ]);
    expect(sent[0]?.headers).toEqual({ ...kept, 'x-redrive-id': redriveId, 'x-redrive-count': '1' });
    expect(audits.map((facts) => auditOf(facts, 9))).toMatchObject([
      {
        action: 'redriven',
        actor: 'ada',
        reason: 'channel is back',
        deliveryId: 'd1',
        entity: `dead-letter:${dlt}/2/0`,
        originTopic: 'delivery.slack.v1',
        originPartition: 2,
        originOffset: 77,
      },
    ]);
  });

  it.each([
    ['2', '3'],
    ['nonsense', '1'],
  ])('counts redrives on from %s', async (before, after) => {
    const { letters, sent } = world([
      aLetter(0, { rawHeaders: { ...died, 'x-redrive-id': 'old', 'x-redrive-count': before } }),
    ]);
    const id = await letters.redrive(await letters.show(`${dlt}/2/0`), 'ada', 'x');
    expect(sent[0]?.headers).toMatchObject({ 'x-redrive-id': id, 'x-redrive-count': after });
  });

  it.each(['redriven', 'discarded'] as const)('refuses to treat one that was %s before', async (state) => {
    const { letters, sent, audits } = world([aLetter(0)], { [`dead-letter:${dlt}/2/0`]: state });
    const letter = await letters.show(`${dlt}/2/0`);
    await expect(letters.redrive(letter, 'ada', 'x')).rejects.toThrow(`is ${state} already`);
    await expect(letters.discard(letter, 'ada', 'x')).rejects.toThrow(NotADeadLetter);
    expect([sent, audits]).toEqual([[], []]);
  });

  it('redrives one that is named twice once, though both listings say it is open', async () => {
    const { letters, sent } = world([aLetter(0)]);
    const [first, second] = [await letters.show(`${dlt}/2/0`), await letters.show(`${dlt}/2/0`)];
    await letters.redrive(first, 'ada', 'x');
    await expect(letters.redrive(second, 'ada', 'x')).rejects.toThrow('is redriven already');
    await expect(letters.discard(first, 'ada', 'x')).rejects.toThrow('is redriven already');
    expect(sent).toHaveLength(1);
  });

  it('lets one be redriven again that could not be sent', async () => {
    const { letters, sent, trouble, audits } = world([aLetter(0)]);
    const letter = await letters.show(`${dlt}/2/0`);
    trouble.send = () => {
      throw new Error('Kafka is away');
    };
    await expect(letters.redrive(letter, 'ada', 'x')).rejects.toThrow('Kafka is away');
    expect(audits).toEqual([]);
    trouble.send = () => {};
    await letters.redrive(letter, 'ada', 'x');
    expect(sent).toHaveLength(1);
  });

  it('discards with an audit record and without sending anything', async () => {
    const { letters, sent, audits } = world([aLetter(0)]);
    await letters.discard(await letters.show(`${dlt}/2/0`), 'ada', 'obsolete');
    expect(sent).toEqual([]);
    expect(audits).toMatchObject([{ action: 'discarded', actor: 'ada', reason: 'obsolete' }]);
  });

  it('says so when there is no such dead letter', async () => {
    await expect(world([]).letters.show(`${dlt}/0/9`)).rejects.toThrow(`${dlt}/0/9 is not there`);
  });

  it.each(['', 'delivery.slack.v1/0/1', `${dlt}/0`, `${dlt}/0/-1`, `${dlt}/a/1`, '.dlt/0/1/2'])(
    'takes %j for no id',
    (id) => {
      expect(() => parseId(id)).toThrow(NotADeadLetter);
    },
  );

  it('reads an id', () => {
    expect(parseId(`${dlt}/3/12345678901234567890`)).toEqual({
      topic: dlt,
      partition: 3,
      offset: 12345678901234567890n,
    });
  });

  it('shows what a person wants to know, of a record without headers too', () => {
    const { letters: _, ...nothing } = { letters: 0, id: 'x', state: 'open' as const, record: aLetter(0) };
    expect(summaryOf(nothing)).toMatchObject({
      class: 'rejected',
      reason: 'no such channel',
      origin: 'delivery.slack.v1/2/77',
    });
    expect(summaryOf({ ...nothing, record: aLetter(0, { rawHeaders: {}, key: null }) })).toMatchObject({
      class: '',
      key: '',
    });
  });
});
