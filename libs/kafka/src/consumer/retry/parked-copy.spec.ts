import { describe, expect, it } from 'vitest';
import { FetchedRecord } from '../fetched-record.js';
import { parkedRecordOf, readCopy } from './parked-copy.js';

const record = (headers: Record<string, string>, topic = 'main.retry', partition = 3) =>
  new FetchedRecord(topic, partition, {
    offset: '9',
    timestamp: '1000',
    key: Buffer.from('k'),
    value: Buffer.from([0, 255]),
    headers,
  });
const origin = { 'x-origin-topic': 'main', 'x-origin-partition': '3', 'x-origin-offset': '41' };

describe('a parked record', () => {
  it('says in its headers what the next owner must know, replaces what was there, and keeps the rest', () => {
    const main = record({ 'X-Retry-Attempt': '7', mine: 'kept' }, 'main');
    const facts = { group: 'g', attempts: 2, dueMs: 5_000.4, firstFailureMs: 1_500, failure: undefined };
    const parked = parkedRecordOf(main, 'main.retry', facts);
    expect(parked).toMatchObject({ topic: 'main.retry', partition: 3, key: main.key, value: main.value });
    expect(parked.headers).toEqual({
      mine: 'kept',
      'x-retry-attempt': '2',
      'x-retry-due-ms': '5001',
      'x-retry-first-failure-ms': '1500',
      'x-origin-topic': 'main',
      'x-origin-partition': '3',
      'x-origin-offset': '9',
      'x-origin-timestamp': '1000',
      'x-origin-group': 'g',
    });
  });

  it('keeps its first coordinates and its size however often it is appended again', () => {
    const facts = { group: 'g', attempts: 1, dueMs: 1, firstFailureMs: undefined, failure: undefined };
    let headers = parkedRecordOf(record(origin), 'main.retry', facts).headers ?? {};
    const size = JSON.stringify(headers).length;
    for (let i = 0; i < 200; i++) {
      headers = parkedRecordOf(record(headers as Record<string, string>), 'main.retry', facts).headers ?? {};
    }
    expect(headers).toMatchObject(origin);
    expect(JSON.stringify(headers)).toHaveLength(size);
  });

  it('is read back', () => {
    const failure = { errorClass: 'throttled', reason: 'busy' } as const;
    const facts = { group: 'g', attempts: 3, dueMs: 9_000, firstFailureMs: 4_000, failure };
    const { headers = {} } = parkedRecordOf(record(origin), 'main.retry', facts);
    expect(readCopy(record(headers as Record<string, string>), 'main')).toEqual({
      origin: 41,
      attempts: 3,
      dueMs: 9_000,
      firstFailureMs: 4_000,
      isThrottled: true,
      redriveId: undefined,
      redriveCount: 0,
    });
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['no origin', {}, /x-origin-topic is absent/],
    ['the origin of another topic', { ...origin, 'x-origin-topic': 'other' }, /other, not main/],
    ['the origin of another partition', { ...origin, 'x-origin-partition': '4' }, /is 4, not 3/],
    ['a partition that is not one', { ...origin, 'x-origin-partition': '3.0' }, /is 3\.0/],
    ['no offset', { 'x-origin-topic': 'main', 'x-origin-partition': '3' }, /no offset/],
    ['a negative offset', { ...origin, 'x-origin-offset': '-1' }, /no offset/],
    ['an offset in words', { ...origin, 'x-origin-offset': '1e3' }, /no offset/],
    ['an offset beyond all', { ...origin, 'x-origin-offset': '9'.repeat(30) }, /no offset/],
  ])('is refused with %s', (_, headers, reason) => {
    expect(readCopy(record(headers), 'main')).toMatch(reason);
  });

  it.each([
    ['a due time in words', { 'x-retry-due-ms': 'soon' }],
    ['a negative one', { 'x-retry-due-ms': '-5' }],
    ['an infinite one', { 'x-retry-due-ms': 'Infinity' }],
    ['attempts in words', { 'x-retry-attempt': 'many' }],
  ])('counts %s as not written', (_, headers) => {
    expect(readCopy(record({ ...origin, ...headers }), 'main')).toMatchObject({ dueMs: 0, attempts: 0 });
  });
});
