import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPatience, readRateHeaders } from './rate-headers.js';

const nowMs = Date.UTC(2026, 10, 22, 2, 0, 0);
const of = (headers: Readonly<Record<string, string>>) => (name: string) => headers[name];
const budget = (remaining: number, inMs: number) => ({ remaining, resetMs: nowMs + inMs });

describe('rate headers', () => {
  it.each<[string, Record<string, string>, ReturnType<typeof budget> | undefined]>([
    ['seconds from now', { 'x-ratelimit-remaining': '3', 'x-ratelimit-reset': '10' }, budget(3, 10_000)],
    [
      'epoch seconds',
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(nowMs / 1000 + 60) },
      budget(0, 60_000),
    ],
    [
      'a date without seconds, as Jira writes it',
      { 'x-ratelimit-remaining': '1', 'x-ratelimit-reset': '2026-11-22T02:05Z' },
      budget(1, 300_000),
    ],
    ['the draft without X-', { 'ratelimit-remaining': '7', 'ratelimit-reset': '2' }, budget(7, 2000)],
    ['a structured field', { ratelimit: '"default";r=50;t=30' }, budget(50, 30_000)],
    ['several policies', { ratelimit: '"burst";r=9;t=1, "day";r=2;t=600' }, budget(2, 600_000)],
    ['half of it', { 'x-ratelimit-remaining': '3' }, undefined],
    ['words', { 'x-ratelimit-remaining': 'many', 'x-ratelimit-reset': 'soon' }, undefined],
    ['less than nothing', { 'x-ratelimit-remaining': '-1', 'x-ratelimit-reset': '5' }, undefined],
    ['nothing', {}, undefined],
  ])('read %s', (_, headers, expected) => {
    expect(readRateHeaders(of(headers), nowMs)).toEqual(expected);
  });

  it.each<[string, Record<string, string>, number | undefined]>([
    ['Retry-After in seconds', { 'retry-after': '3' }, 3000],
    ['decimals', { 'retry-after': '0.25' }, 250],
    ['an HTTP date', { 'retry-after': 'Sun, 22 Nov 2026 02:00:30 GMT' }, 30_000],
    ["Braze's own", { 'x-ratelimit-retry-after': '12' }, 12_000],
    ['the longer of two', { 'retry-after': '1', 'x-ratelimit-retry-after': '4' }, 4000],
    ['only the reset', { 'x-ratelimit-reset': '9' }, 9000],
    ['Retry-After before the reset', { 'retry-after': '2', 'x-ratelimit-reset': '60' }, 2000],
    ['a reset that passed', { 'x-ratelimit-reset': String(nowMs / 1000 - 5) }, undefined],
    ['what cannot be read', { 'retry-after': 'soon', 'x-ratelimit-reset': '∞' }, undefined],
  ])('say how long to wait by %s', (_, headers, expected) => {
    expect(readPatience(of(headers), nowMs)).toBe(expected);
  });

  it('take any text without harm', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 600 }), fc.string({ maxLength: 40 }), (a, b) => {
        const header = of({
          'x-ratelimit-remaining': a,
          'x-ratelimit-reset': b,
          ratelimit: a,
          'retry-after': b,
        });
        const read = readRateHeaders(header, nowMs);
        if (read) expect([read.remaining, read.resetMs].every((n) => Number.isFinite(n) && n >= 0)).toBe(true);
        const wait = readPatience(header, nowMs);
        if (wait !== undefined) expect(Number.isFinite(wait) && wait >= 0).toBe(true);
      }),
    );
  });
});
