import { describe, expect, it } from 'vitest';
import { timeOption } from './time-option.js';

describe('a time on the command line', () => {
  it('is a moment, whatever the zone of the machine', () => {
    expect(timeOption('--from', undefined)).toBeUndefined();
    for (const text of ['2026-01-31T23:30:00Z', '2026-02-01T01:30:00+02:00', '2026-01-31T18:30-05:00'])
      expect(timeOption('--from', text)?.toISOString()).toBe('2026-01-31T23:30:00.000Z');
  });

  it.each([
    '2026-01-31',
    '2026-01-31T12:00:00',
    '2026-02-30T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '0000-01-01T00:00:00Z',
    '1969-12-31T23:59:59Z',
    '+275760-09-13T00:00:00Z',
    '5',
    'now',
    '',
  ])('is not %j', (text) => {
    expect(() => timeOption('--from', text)).toThrow(/^--from is no time like/);
  });

  it('may be the last day of a leap year’s February', () => {
    expect(timeOption('--to', '2028-02-29T00:00:00Z')?.toISOString()).toBe('2028-02-29T00:00:00.000Z');
  });
});
