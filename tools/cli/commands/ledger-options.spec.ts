import { describe, expect, it } from 'vitest';
import { reasonAbout } from './ledger-options.js';

describe('whom a command is about, and why', () => {
  it.each([
    [{ tenant: '', reason: 'asked' }, /--tenant is ""/],
    [{ tenant: 'Acme Inc', reason: 'asked' }, /--tenant is "Acme Inc"/],
    [{ tenant: 'acme', subject: '', reason: 'asked' }, /--subject is empty/],
    [{ tenant: 'acme', subject: '  ', reason: 'asked' }, /--subject is empty/],
    [{ tenant: 'acme', subject: 'e-1', reason: ' ' }, /--reason is empty/],
    [{ tenant: 'acme', subject: 'e-1', reason: 'E-1 asked' }, /names the subject/],
  ])('is refused: %j', (options, expected) => {
    expect(() => reasonAbout(options)).toThrow(expected);
  });

  it('may be about a whole tenant', () => {
    expect(reasonAbout({ tenant: 'acme', reason: 'case 4711' })).toBe('case 4711');
  });
});
