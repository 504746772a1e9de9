import { retryTopicOf, topicFamilies } from '@tributary/contracts';
import type { IncomingRecord } from '@tributary/kafka';
import { describe, expect, it } from 'vitest';
import { type DeadLetter, NotADeadLetter, parseId, summaryOf } from './dead-letter.js';
import { auditOf } from './facts.js';
import { whyNotRedrivable } from './redriven-record.js';
import { aDeadLetter, slackDeadLetters as dlt, headersOfDeath, worldOf } from './testing/dead-letter-world.js';

const act = { actor: 'ada', reason: 'channel is back', id: 'job-1' };

async function all(letters: AsyncIterable<DeadLetter>): Promise<DeadLetter[]> {
  const found: DeadLetter[] = [];
  for await (const letter of letters) found.push(letter);
  return found;
}

describe('finding dead letters', () => {
  it.each([
    [{ connection: 'out' }, [0, 1]],
    [{ connection: 'other' }, [2]],
    [{ errorClass: 'expired' }, [1]],
    [{ fingerprint: 'abc' }, [0, 1, 2]],
    [{ key: 'acme:7' }, [0, 1]],
    [{ fromMs: 1_001 }, [1, 2]],
    [{ toMs: 1_001 }, [0]],
    [{ fromMs: 1_001, toMs: 1_002 }, [1]],
    [{ connection: 'out', fromMs: 1_001 }, [1]],
    [{}, [0, 1, 2]],
    [{ key: '' }, []],
  ])('chooses those that match %j', async (filter, offsets) => {
    const { letters } = worldOf([
      aDeadLetter(0),
      aDeadLetter(1, { rawHeaders: { ...headersOfDeath, 'x-error-class': 'expired' } }),
      aDeadLetter(2, { rawHeaders: { ...headersOfDeath, 'x-connection-id': 'other' }, key: null }),
    ]);
    const found = await all(letters.find([dlt], filter));
    expect(found.map(({ record }) => Number(record.offset))).toEqual(offsets);
  });

  it('says where each stands, and chooses by that too', async () => {
    const records = Array.from({ length: 4 }, (_, offset) => aDeadLetter(offset));
    const states = {
      [`${dlt}/2/1`]: 'discarded',
      [`${dlt}/2/2`]: 'unfinished',
      [`${dlt}/2/3`]: 'redriven',
    } as const;
    const { letters } = worldOf(records, states);
    expect((await all(letters.find([dlt]))).map(({ state }) => state)).toEqual([
      'open',
      'discarded',
      'unfinished',
      'redriven',
    ]);
    const open = await all(letters.find([dlt], { state: 'open' }));
    expect(open.map(({ id }) => id)).toEqual([`${dlt}/2/0`]);
  });

  it('reads no further than it is asked for, a batch at a time', async () => {
    const { letters, read } = worldOf(Array.from({ length: 5_000 }, (_, offset) => aDeadLetter(offset)));
    for await (const letter of letters.find([dlt])) if (letter.record.offset === 3n) break;
    expect(read()).toBeLessThanOrEqual(201);
  });

  it('reads the one that is named and no other', async () => {
    const { letters, read } = worldOf(Array.from({ length: 500 }, (_, offset) => aDeadLetter(offset)));
    expect((await letters.show(`${dlt}/2/321`)).record.offset).toBe(321n);
    expect(read()).toBe(1);
  });

  it.each([`${dlt}/0/9`, `${dlt}/2/9`, 'delivery.http.v1.dlt/2/0'])('says so when %s is not there', async (id) => {
    await expect(worldOf([aDeadLetter(0)]).letters.show(id)).rejects.toThrow(`${id} is not there`);
  });

  it.each([
    '',
    'delivery.slack.v1/0/1',
    `${dlt}/0`,
    `${dlt}/0/-1`,
    `${dlt}/a/1`,
    '.dlt/0/1/2',
    `${dlt}/0/${'9'.repeat(20)}`,
    `a b.dlt/0/1`,
    `${dlt}/0/1\n`,
    `${dlt}/1e3/1`,
  ])('takes %j for no id', (id) => {
    expect(() => parseId(id)).toThrow(NotADeadLetter);
  });

  it('reads an id', () => {
    expect(parseId(`${dlt}/3/123456789012345`)).toEqual({ topic: dlt, partition: 3, offset: 123_456_789_012_345 });
  });

  it('shows what a person wants to know, of a record without headers too', () => {
    const letter = { id: 'x', state: 'open' as const, act: undefined, record: aDeadLetter(0) };
    expect(summaryOf(letter)).toMatchObject({
      class: 'rejected',
      reason: 'no such channel',
      origin: 'delivery.slack.v1/2/77',
      redrives: 0,
    });
    const bare = { ...letter, record: aDeadLetter(0, { rawHeaders: {}, key: null }) };
    expect(summaryOf(bare)).toMatchObject({ class: '', key: '', origin: '//' });
  });
});

describe('acting on a dead letter', () => {
  it('sends it through its own chain again: same key, partition, value and delivery id', async () => {
    const { letters, sent, audits } = worldOf([aDeadLetter(0)]);
    const letter = await letters.show(`${dlt}/2/0`);
    expect(await letters.redrive(letter, act)).toBe('job-1');
    const { 'x-retry-attempt': _a, 'x-retry-first-failure-ms': _f, ...rest } = headersOfDeath;
    const kept = Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith('x-error-')));
    expect(sent).toMatchObject([
      { topic: 'delivery.slack.v1.retry', partition: 2, key: letter.record.key, value: letter.record.value },
    ]);
    expect(sent[0]?.headers).toEqual({ ...kept, 'x-redrive-id': 'job-1', 'x-redrive-count': '1' });
    expect(audits.map((facts) => auditOf(facts, 9))).toMatchObject([
      {
        action: 'redriven',
        actor: 'ada',
        reason: 'channel is back',
        deliveryId: 'd1',
        entity: `dead-letter:${dlt}/2/0`,
        details: { redriveId: 'job-1' },
        originTopic: 'delivery.slack.v1',
        originPartition: 2,
        originOffset: 77,
      },
    ]);
  });

  it.each([
    ['events.crm.v1.router.dlt', 'events.crm.v1.router.retry'],
    ['raw.github.v1.dlt', 'raw.github.v1.retry'],
  ])('sends what died in %s to %s', async (topic, target) => {
    const { letters, sent } = worldOf([aDeadLetter(0, { topic })]);
    await letters.redrive(await letters.show(`${topic}/2/0`), act);
    expect(sent.map((record) => record.topic)).toEqual([target]);
  });

  it.each([
    ['2', '3'],
    ['nonsense', '1'],
  ])('counts redrives on from %s', async (before, after) => {
    const rawHeaders = { ...headersOfDeath, 'x-redrive-id': 'old', 'x-redrive-count': before };
    const { letters, sent } = worldOf([aDeadLetter(0, { rawHeaders })]);
    const id = await letters.redrive(await letters.show(`${dlt}/2/0`), act);
    expect(sent[0]?.headers).toMatchObject({ 'x-redrive-id': id, 'x-redrive-count': after });
  });

  it.each(['redriven', 'discarded'] as const)('refuses one that was %s before, and says by whom', async (state) => {
    const { letters, sent, audits } = worldOf([aDeadLetter(0)], { [`${dlt}/2/0`]: state });
    const letter = await letters.show(`${dlt}/2/0`);
    await expect(letters.redrive(letter, act)).rejects.toThrow(`is ${state} already, by bob`);
    await expect(letters.discard(letter, act)).rejects.toThrow(NotADeadLetter);
    expect([sent, audits]).toEqual([[], []]);
  });

  it('redrives one once, though two listings say it is open', async () => {
    const { letters, sent } = worldOf([aDeadLetter(0)]);
    const [first, second] = [await letters.show(`${dlt}/2/0`), await letters.show(`${dlt}/2/0`)];
    await letters.redrive(first, act);
    await expect(letters.redrive(second, act)).rejects.toThrow('is redriven already');
    await expect(letters.discard(first, act)).rejects.toThrow('is redriven already');
    expect(sent).toHaveLength(1);
  });

  it.each([
    [false, 'open'],
    [true, 'unfinished'],
    [undefined, 'unfinished'],
  ] as const)('after a send that may have arrived (%s) it is %s', async (mayHaveArrived, state) => {
    const { letters, trouble, audits } = worldOf([aDeadLetter(0)]);
    trouble.send = () => {
      throw Object.assign(new Error('Kafka is away'), { sent: mayHaveArrived });
    };
    await expect(letters.redrive(await letters.show(`${dlt}/2/0`), act)).rejects.toThrow('Kafka is away');
    expect(audits).toEqual([]);
    expect((await letters.show(`${dlt}/2/0`)).state).toBe(state);
  });

  it('is unfinished as long as nobody can read of it', async () => {
    const { letters, trouble } = worldOf([aDeadLetter(0)]);
    trouble.audit = () => {
      throw new Error('no registry');
    };
    await expect(letters.discard(await letters.show(`${dlt}/2/0`), act)).rejects.toThrow('no registry');
    expect((await letters.show(`${dlt}/2/0`)).state).toBe('unfinished');
  });

  describe('of one that holds its key', () => {
    const held = { ...headersOfDeath, 'x-retry-hold': 'dead-letter', 'x-redrive-count': '1' };
    const letter = () => aDeadLetter(0, { rawHeaders: held });

    it('discards by a release in its own chain, which outranks the hold', async () => {
      const { letters, sent, audits } = worldOf([letter()]);
      await letters.discard(await letters.show(`${dlt}/2/0`), act);
      expect(sent).toMatchObject([
        {
          topic: retryTopicOf(topicFamilies.delivery('slack')).name,
          partition: 2,
          headers: { 'x-retry-hold': 'released', 'x-redrive-count': '2', 'x-origin-offset': '77' },
        },
      ]);
      expect(sent[0]?.headers).not.toHaveProperty('x-error-class');
      expect(audits).toMatchObject([{ action: 'discarded' }]);
    });

    it('redrives without the mark, so that it is attempted', async () => {
      const { letters, sent } = worldOf([letter()]);
      await letters.redrive(await letters.show(`${dlt}/2/0`), act);
      expect(sent[0]?.headers).toMatchObject({ 'x-redrive-count': '2' });
      expect(sent[0]?.headers).not.toHaveProperty('x-retry-hold');
    });

    it('stays open when the release certainly did not arrive', async () => {
      const { letters, audits, acts, trouble } = worldOf([letter()]);
      trouble.send = () => {
        throw Object.assign(new Error('not sent'), { sent: false });
      };
      await expect(letters.discard(await letters.show(`${dlt}/2/0`), act)).rejects.toThrow('not sent');
      expect({ audits, acts: acts.size }).toEqual({ audits: [], acts: 0 });
    });
  });

  describe('of one that holds its key after retention deleted it', () => {
    const held = {
      ...headersOfDeath,
      'x-retry-hold': 'dead-letter',
      'x-retry-dead-letter': `${dlt}/2/3`,
      'x-redrive-count': '1',
    };
    const retry = retryTopicOf(topicFamilies.delivery('slack')).name;
    const hold = (offset: number, over: Readonly<Record<string, string>> = {}) =>
      aDeadLetter(offset, { topic: retry, rawHeaders: { ...held, ...over } });
    const kept = aDeadLetter(7);

    it('is listed, shown and discarded as before, whatever copy holds the key now', async () => {
      const { letters, sent, audits } = worldOf([kept, hold(0), hold(40)]);
      const listed: string[] = [];
      for await (const { id } of letters.find([dlt])) listed.push(id);
      expect(listed).toEqual([`${dlt}/2/3`, `${dlt}/2/7`]);
      const letter = await letters.show(`${dlt}/2/3`);
      expect(summaryOf(letter)).toMatchObject({ class: 'rejected', reason: 'no such channel', redrives: 1 });
      await letters.discard(letter, act);
      expect(sent).toMatchObject([{ topic: retry, headers: { 'x-retry-hold': 'released', 'x-redrive-count': '2' } }]);
      expect(sent[0]?.headers).not.toHaveProperty('x-retry-dead-letter');
      expect(audits).toMatchObject([{ action: 'discarded', letter: { id: `${dlt}/2/3` } }]);
    });

    it('is redriven once', async () => {
      const { letters, sent } = worldOf([kept, hold(40)]);
      await letters.redrive(await letters.show(`${dlt}/2/3`), act);
      expect(sent).toMatchObject([{ topic: retry, headers: { 'x-redrive-count': '2', 'x-origin-offset': '77' } }]);
      expect(sent[0]?.headers).not.toHaveProperty('x-retry-hold');
      await expect(letters.redrive(await letters.show(`${dlt}/2/3`), act)).rejects.toThrow(NotADeadLetter);
    });

    it.each<[string, readonly IncomingRecord[]]>([
      ['a release', [hold(40), hold(41, { 'x-retry-hold': 'released', 'x-redrive-count': '2' })]],
      [
        'a redrive',
        [hold(40), aDeadLetter(41, { topic: retry, rawHeaders: { ...headersOfDeath, 'x-redrive-count': '2' } })],
      ],
      ['nothing of ours', [hold(40, { 'x-retry-dead-letter': '../../etc' })]],
      ['another topic', [hold(40, { 'x-retry-dead-letter': 'other.dlt/2/3' })]],
    ])('is not there when %s says otherwise', async (_, copies) => {
      const { letters } = worldOf([kept, ...copies]);
      await expect(letters.show(`${dlt}/2/3`)).rejects.toThrow(/is not there/);
    });

    it('is told once while the dead letter itself is there', async () => {
      const { letters } = worldOf([aDeadLetter(3, { rawHeaders: held }), kept, hold(40)]);
      const listed: string[] = [];
      for await (const { id } of letters.find([dlt])) listed.push(id);
      expect(listed).toEqual([`${dlt}/2/3`, `${dlt}/2/7`]);
    });
  });

  it('discards with an audit record and without sending anything', async () => {
    const { letters, sent, audits } = worldOf([aDeadLetter(0)]);
    await letters.discard(await letters.show(`${dlt}/2/0`), act);
    expect(sent).toEqual([]);
    expect(audits).toMatchObject([{ action: 'discarded', actor: 'ada', reason: 'channel is back' }]);
  });

  it('sends a correction instead, and the audit tells both digests and which headers differ', async () => {
    const { letters, sent, audits } = worldOf([aDeadLetter(0)]);
    const headers = { ce_time: '2026-01-01T00:00:00Z', custom: undefined };
    await letters.redrive(await letters.show(`${dlt}/2/0`), act, { value: Buffer.from('new'), headers });
    expect(String(sent[0]?.value)).toBe('new');
    expect(sent[0]?.headers).toMatchObject({ ce_time: headers.ce_time, 'x-delivery-id': 'd1' });
    const [audit] = audits.map((facts) => auditOf(facts, 9));
    expect(audit?.details).toMatchObject({ edited: 'true', headersChanged: 'ce_time' });
    expect(audit?.details.valueDigest).toMatch(/^[0-9a-f]{64}$/);
    expect(audit?.details.valueDigest).not.toBe(audit?.details.valueDigestBefore);
  });
});

describe('whether a dead letter can be redriven', () => {
  const letter = (headers: Record<string, string>, topic = dlt): DeadLetter => {
    const record = aDeadLetter(0, { topic, rawHeaders: { ...headersOfDeath, ...headers } });
    return { id: 'x', state: 'open', act: undefined, record };
  };

  it.each<[string, DeadLetter, RegExp | undefined]>([
    ['one as it died', letter({}), undefined],
    ['one of the router', letter({ 'x-origin-topic': 'events.crm.v1' }, 'events.crm.v1.router.dlt'), undefined],
    ['the fourth time', letter({ 'x-redrive-count': '4' }), undefined],
    ['the fifth time', letter({ 'x-redrive-count': '5' }), /redriven 5 times already and is parked/],
    ['another origin', letter({ 'x-origin-topic': 'delivery.http.v1' }), /came from delivery\.http\.v1/],
    ['another partition', letter({ 'x-origin-partition': '3' }), /discard it/],
    ['no offset', letter({ 'x-origin-offset': '-1' }), /discard it/],
    ['an audit record', letter({}, 'audit.records.v1.dlt'), /audit-logger has no retry topic/],
    ['a stranger', letter({}, 'foreign.v1.dlt'), /no retry topic/],
  ])('%s', (_, one, why) => {
    if (why) expect(whyNotRedrivable(one, 5)).toMatch(why);
    else expect(whyNotRedrivable(one, 5)).toBeUndefined();
  });
});
