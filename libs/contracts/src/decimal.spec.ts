import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimalFromBytes, decimalToBytes } from './decimal.js';

describe('decimal', () => {
  it('round-trips every number that fits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 20n) + 1n, max: 10n ** 20n - 1n }), (unscaled) => {
        const text = decimalFromBytes(decimalToBytes(fromUnscaled(unscaled), 20, 4), 4);
        expect(decimalToBytes(text, 20, 4)).toEqual(decimalToBytes(fromUnscaled(unscaled), 20, 4));
      }),
    );
  });

  it.each([
    ['19.99', '030cdc'],
    ['-1', 'd8f0'],
    ['0', '00'],
    ['0.0001', '01'],
    ['100', '0f4240'],
  ])('writes %s as big-endian two’s complement', (text, hex) => {
    expect(decimalToBytes(text, 20, 4).toString('hex')).toBe(hex);
    expect(decimalFromBytes(Buffer.from(hex, 'hex'), 4)).toBe(text);
  });

  it.each(['', 'abc', '1e3', '1.', '.5', '1.00001', '123456789012345678901', 'NaN', ' 1'])('refuses %j', (text) => {
    expect(() => decimalToBytes(text, 20, 4)).toThrow(/decimal|digits/);
  });
});

function fromUnscaled(unscaled: bigint): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(5, '0');
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -4)}.${digits.slice(-4)}`;
}
