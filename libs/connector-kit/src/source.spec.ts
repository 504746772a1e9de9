import { describe, expect, it } from 'vitest';
import { acceptsType, defineDestination } from './destination.js';
import { readJsonObject } from './reading.js';
import { redacted } from './redaction.js';
import { decodeBase64, decodeHex } from './signing/compare.js';
import { defineSource } from './source.js';

const description = {
  slug: 'demo',
  title: 'Demo',
  summary: 'Demo.',
  settings: {},
  keptHeaders: [],
  events: ['work.issue.*'],
  promises: { ordering: 'none', deduplication: 'event-id', retries: 'none' } as const,
  verify: () => ({ kind: 'verified' }) as const,
  describe: () => ({ kind: 'malformed', code: 'x', reason: 'x' }) as const,
  translate: () => ({ kind: 'ignored', reason: 'x' }) as const,
};

describe('a source', () => {
  it.each(['verify', 'describe', 'translate'])('does not load without %s', (member) => {
    const incomplete = { ...description, [member]: undefined } as unknown as typeof description;
    expect(() => defineSource(incomplete)).toThrow(new RegExp(`source demo has no ${member}`));
  });

  it.each(['', 'Demo', 'a.b', '../x', '1a'])('does not load with the slug %j', (slug) => {
    expect(() => defineSource({ ...description, slug })).toThrow(/slug/);
  });
});

describe('a destination', () => {
  it('does not load when it would repeat what the other side does not drop', () => {
    const definition = {
      slug: 'demo',
      title: 'Demo',
      summary: 'Demo.',
      settings: {},
      secrets: {},
      promises: { ordering: 'none', idempotency: 'none' } as const,
      limits: { maxInFlight: 1, timeoutMs: 1000 },
      unknownOutcome: 'retry' as const,
      operations: { act: {} as never },
    };
    expect(() => defineDestination(definition)).toThrow(/must be drop or hold/);
    expect(() => defineDestination({ ...definition, operations: {} })).toThrow(/no operation/);
  });

  it.each([
    ['people.employee.*', 'people.employee.created', true],
    ['*.*.*', 'people.employee.created', true],
    ['people.*', 'people.employee.created', false],
    ['people.employee.created', 'people.employee.updated', false],
    ['*.*.*', 'people.employee', false],
  ])('by the pattern %s takes %s: %s', (pattern, type, isTaken) => {
    expect(acceptsType([pattern], type)).toBe(isTaken);
  });
});

describe('decoding', () => {
  it.each(['', 'zz', '0', '0x00', '00 ', `${'0'.repeat(63)}g`])('does not take %j for 32 bytes of hex', (text) => {
    expect(decodeHex(text, 32)).toBeUndefined();
  });

  it.each([
    ['AAAA', 3],
    ['AA==', 1],
    ['AA', 1],
    ['AAA=', 2],
    ['AAA', 2],
    ['', 0],
  ])('takes %j for %i bytes of base64', (text, length) => {
    expect(decodeBase64(text)?.length).toBe(length);
  });

  it.each(['A', 'AA=', '=', 'AA===', 'A=A=', 'AA-_', 'AA AA', 'AAAA\n'])('does not take %j for base64', (text) => {
    expect(decodeBase64(text)).toBeUndefined();
  });

  it('keeps integers above 2^53 as the digits they were', () => {
    const body = readJsonObject(Buffer.from('{"a":820982911946154508,"b":1.5,"c":7,"d":1e20}'));
    expect(body).toEqual({ ok: true, value: { a: '820982911946154508', b: 1.5, c: 7, d: 1e20 } });
  });
});

describe('redaction', () => {
  it.each([
    ['as it is', 'token is s3cret/pa+ss.'],
    ['in a URL', `to ?t=${encodeURIComponent('s3cret/pa+ss')}`],
    ['in base64', Buffer.from('s3cret/pa+ss').toString('base64')],
  ])('removes a secret %s', (_name, text) => {
    const clean = redacted(text, { token: ['s3cret/pa+ss'] });
    expect(clean).toContain('[secret]');
    expect(clean).not.toContain('s3cret');
  });

  it('removes the longer of two secrets whole', () => {
    expect(redacted('abcdef-ghi', { a: ['abcdef'], b: ['abcdef-ghi'] })).toBe('[secret]');
  });
});
