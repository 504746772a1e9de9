import { defineTopic, errorHeaders } from '@tributary/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IHeaders } from '../records.js';
import { cutUtf8, deadLetterOf, fingerprintOf, replaceHeaders } from './dead-letter.js';
import { FetchedRecord } from './fetched-record.js';

const dead = defineTopic({ name: 'main.dlt', records: [], key: 'any', owner: 'tests', purpose: 'A test.' });
const aRecord = (headers: IHeaders) =>
  new FetchedRecord('main', 4, { offset: '9007199254740991', timestamp: '12', key: null, value: null, headers });
const facts = {
  group: 'g',
  attempts: 3,
  firstFailureMs: 77,
  failure: { errorClass: 'rejected', code: '422', reason: 'no', stage: 'send' },
  holdsKey: false,
} as const;

describe('a dead letter', () => {
  it('keeps key, value, partition and foreign headers, and says where it came from and why', () => {
    const letter = deadLetterOf(aRecord({ traceparent: 't', ce_id: Buffer.from('1') }), dead, facts);
    expect(letter).toEqual({
      topic: 'main.dlt',
      partition: 4,
      key: null,
      value: null,
      headers: {
        traceparent: 't',
        ce_id: Buffer.from('1'),
        'x-retry-attempt': '3',
        'x-retry-first-failure-ms': '77',
        'x-origin-topic': 'main',
        'x-origin-partition': '4',
        'x-origin-offset': '9007199254740991',
        'x-origin-timestamp': '12',
        'x-origin-group': 'g',
        'x-error-class': 'rejected',
        'x-error-code': '422',
        'x-error-message': 'no',
        'x-error-stage': 'send',
        'x-error-fingerprint': fingerprintOf('main', facts.failure),
      },
    });
  });

  it('keeps the first coordinates of a record that dies again on its way through the chain', () => {
    const first = deadLetterOf(aRecord({}), dead, facts);
    const fromRetry = new FetchedRecord('main.retry', 4, {
      offset: '3',
      timestamp: '99',
      key: null,
      value: null,
      headers: first.headers as IHeaders,
    });
    const again = deadLetterOf(fromRetry, dead, facts);
    expect(again.headers).toEqual(first.headers);
  });

  it('says that it holds its key, and no longer when it dies again without', () => {
    const holding = deadLetterOf(aRecord({}), dead, { ...facts, holdsKey: true });
    expect(holding.headers).toMatchObject({ 'x-retry-hold': 'dead-letter' });
    const again = deadLetterOf(aRecord(holding.headers as IHeaders), dead, facts);
    expect(again.headers).not.toHaveProperty('x-retry-hold');
  });

  it('stays the same size however often a record dies', () => {
    let headers: IHeaders = { 'X-Origin-Topic': 'old', 'x-retry-due-ms': '5', mine: 'kept' };
    const sizes = new Set<number>();
    for (let i = 0; i < 200; i++) {
      headers = deadLetterOf(aRecord(headers), dead, facts).headers as IHeaders;
      sizes.add(JSON.stringify(headers).length);
    }
    expect(sizes.size).toBe(1);
    expect(headers).toMatchObject({ mine: 'kept', 'x-origin-topic': 'main' });
    expect(headers).not.toHaveProperty('x-retry-due-ms');
    expect(headers).not.toHaveProperty('X-Origin-Topic');
  });

  it('leaves out what is not known, an old value included', () => {
    const failure = { errorClass: 'invalid', reason: 'unreadable' } as const;
    const { headers } = deadLetterOf(aRecord({ [errorHeaders.code]: 'old' }), dead, {
      ...facts,
      firstFailureMs: undefined,
      failure,
    });
    expect(headers).not.toHaveProperty(errorHeaders.code);
    expect(headers).not.toHaveProperty('x-retry-first-failure-ms');
  });

  it('has one fingerprint per place, class and code', () => {
    const base = fingerprintOf('main', facts.failure);
    expect(fingerprintOf('main', { ...facts.failure, reason: 'other words' })).toBe(base);
    expect(fingerprintOf('other', facts.failure)).not.toBe(base);
    expect(fingerprintOf('main', { ...facts.failure, code: '400' })).not.toBe(base);
    expect(fingerprintOf('main', { ...facts.failure, errorClass: 'expired' })).not.toBe(base);
  });

  it('takes over header names that belong to every object', () => {
    const raw = JSON.parse('{"__proto__": "a", "constructor": "b"}') as IHeaders;
    expect(Object.keys(replaceHeaders(raw, { constructor: 'ours' }))).toContain('constructor');
  });
});

describe('cutUtf8', () => {
  it('never splits a character and never exceeds the limit', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.integer({ min: 0, max: 80 }), (text, max) => {
        const cut = cutUtf8(text, max);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(max);
        expect(Buffer.from(text).toString().startsWith(cut)).toBe(true);
        expect(max - Buffer.byteLength(cut) < 4 || cut === Buffer.from(text).toString()).toBe(true);
      }),
    );
  });
});

describe('the headers of a fetched record', () => {
  it.each<[string, IHeaders, Record<string, string>]>([
    ['none', {}, {}],
    ['names in any case', { 'X-Mine': 'a' }, { 'x-mine': 'a' }],
    ['bytes as text', { a: Buffer.from('ü') }, { a: 'ü' }],
    ['the last of many', { a: ['1', Buffer.from('2')] }, { a: '2' }],
    ['nothing where there is nothing', { a: undefined, b: [] }, {}],
  ])('are %s', (_, raw, expected) => {
    expect({ ...aRecord(raw).headers }).toEqual(expected);
  });

  it('do not reach the prototype of objects', () => {
    const { headers } = aRecord(JSON.parse('{"__proto__": "x"}') as IHeaders);
    expect(headers.toString).toBeUndefined();
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
});
