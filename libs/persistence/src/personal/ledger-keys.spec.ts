import { describe, expect, it } from 'vitest';
import { LedgerKeys } from './ledger-keys.js';

const hex = (digit: string) => digit.repeat(64);

describe('LedgerKeys', () => {
  it('reads what it makes, and comments and blank lines', () => {
    const keys = LedgerKeys.parse(`\n# why\n${LedgerKeys.generate('2026-11')}\r\n`);
    expect(keys.indexOf('acme', 'subject ada')).toHaveLength(16);
  });

  it.each([
    ['nothing', '', /no line "index/],
    ['no key to wrap with', `index ${hex('1')}`, /no key to wrap/],
    ['no index key', `first ${hex('1')}`, /no line "index/],
    ['a short key', `first ${hex('1').slice(1)}\nindex ${hex('2')}`, /line 1 is not/],
    ['no digits', `first ${'x'.repeat(64)}\nindex ${hex('2')}`, /line 1 is not/],
    ['an id twice', `a ${hex('1')}\na ${hex('2')}\nindex ${hex('3')}`, /line 2 has the id a a second time/],
    ['an id that is none', `../a ${hex('1')}\nindex ${hex('3')}`, /line 1 is not/],
    ['more on a line', `a ${hex('1')} b\nindex ${hex('3')}`, /line 1 is not/],
  ])('refuses %s', (_, text, message) => {
    expect(() => LedgerKeys.parse(text)).toThrow(message);
  });

  it('never says what is in a line', () => {
    const secret = `${hex('a').slice(1)}`;
    expect(() => LedgerKeys.parse(`first ${secret}`)).toThrow(expect.not.stringContaining(secret) as unknown as Error);
  });

  it('gives the same name another index for another tenant, kind and key', () => {
    const [one, other] = ['1', '2'].map((digit) => LedgerKeys.parse(`a ${hex('9')}\nindex ${hex(digit)}`));
    const indexes = [
      one?.indexOf('acme', 'subject ada'),
      one?.indexOf('globex', 'subject ada'),
      one?.indexOf('acme', 'event ada'),
      other?.indexOf('acme', 'subject ada'),
    ].map((index) => index?.toString('hex'));
    expect(new Set(indexes).size).toBe(4);
    expect(one?.indexOf('acme', 'subject ada').toString('hex')).toBe(indexes[0]);
  });
});
