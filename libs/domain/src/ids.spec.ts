import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deliveryId, digestOfParts, eventKey, isId, rawKey } from './ids.js';
import { retryAfterMs } from './retry-after.js';

describe('ids', () => {
  it.each(['a', '0', 'acme-gusto', 'a'.repeat(63)])('%s is an id', (text) => expect(isId(text)).toBe(true));
  it.each(['', '-a', 'A', 'a_b', 'a:b', 'a'.repeat(64), 'ä', 'a b', 'a\n'])('%j is not an id', (text) =>
    expect(isId(text)).toBe(false),
  );

  it('keeps tenant and subject apart whatever the subject holds', () => {
    expect(eventKey('t', 'a:b%c', 'e1')).toBe('t:a%3Ab%25c');
    expect(eventKey('t', undefined, 'e:1')).toBe('t:e%3A1');
    expect(rawKey('t', 'c', 'x:y')).toBe('t:c:x%3Ay');
  });

  it('gives different lists of parts different digests', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 4 }), fc.array(fc.string(), { maxLength: 4 }), (a, b) => {
        expect(digestOfParts(a) === digestOfParts(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });

  it('is the SHA-256 over length-prefixed parts', () => {
    expect(deliveryId('/acme/gusto', 'e1', 's1')).toBe(
      // Computed by an independent implementation.
      '7e3fa17bf1c97632ad0625ad7d00c7b0387888ceaa57c44878202e61495002bc',
    );
  });
});

describe('Retry-After', () => {
  const now = Date.UTC(2026, 0, 1);
  it.each([
    ['3', 3000],
    ['0', 0],
    ['1.5', 1500],
    ['0.0001', 1],
    [' 7 ', 7000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ])('%j is %d ms', (header, ms) => expect(retryAfterMs(header, now)).toBe(ms));
  it.each([undefined, '', 'soon', '-1', '1e3', 'NaN'])('%j says nothing', (header) =>
    expect(retryAfterMs(header, now)).toBeUndefined(),
  );
});
