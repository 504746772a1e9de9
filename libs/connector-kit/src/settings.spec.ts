import { describe, expect, expectTypeOf, it } from 'vitest';
import { checkSecrets, choice, flag, integer, parseSettings, type SettingsOf, secret, text, url } from './settings.js';

const settings = {
  channel: text('Channel.', { pattern: /^C\w+$/ }),
  topic: text('Topic.', { optional: true }),
  base: url('Base address.', { fallback: 'https://example.com' }),
  mode: choice('Mode.', ['fast', 'safe']),
  isLoud: flag('Loud.'),
  size: integer('Size.', { min: 1, max: 10, fallback: 5 }),
};
const definition = { slug: 'demo', settings };

describe('settings', () => {
  it('have the types that their description says', () => {
    expectTypeOf<SettingsOf<typeof settings>>().toExtend<{
      readonly channel: string;
      readonly topic?: string;
      readonly mode: 'fast' | 'safe';
      readonly isLoud: boolean;
      readonly size: number;
    }>();
  });

  it('are read with their defaults, and cannot be changed afterwards', () => {
    const result = parseSettings(definition, { channel: 'C1', mode: 'safe' });
    expect(result).toEqual({
      ok: true,
      value: { channel: 'C1', mode: 'safe', base: 'https://example.com', isLoud: false, size: 5 },
    });
    expect(result.ok && Object.isFrozen(result.value)).toBe(true);
  });

  it('are read from their text form', () => {
    const result = parseSettings(definition, { channel: 'C1', mode: 'fast', isLoud: 'true', size: '7' });
    expect(result).toMatchObject({ ok: true, value: { isLoud: true, size: 7 } });
  });

  it('name every problem with its field at once', () => {
    const result = parseSettings(definition, {
      channel: 'x',
      base: 'ftp://a',
      mode: 'slow',
      isLoud: 1,
      size: 11,
      colour: 'red',
    });
    expect(result).toEqual({
      ok: false,
      errors: [
        'settings.colour is not known to demo',
        'settings.channel must match ^C\\w+$',
        'settings.base must be an https URL',
        'settings.mode must be one of fast, safe',
        'settings.isLoud must be true or false',
        'settings.size must be from 1 to 10',
      ],
    });
  });

  it.each([
    ['a list', []],
    ['a text', 'channel'],
    ['a number', 7],
  ])('are a mapping, not %s', (_name, raw) => {
    expect(parseSettings(definition, raw)).toMatchObject({ ok: false });
  });

  it.each([
    ['channel', ''],
    ['channel', '  '],
    ['channel', 'C1\n'],
    ['channel', null],
    ['channel', {}],
    ['channel', `C${'x'.repeat(5000)}`],
    ['base', 'not a url'],
    ['base', 'https://user:password@example.com'],
    ['base', 'javascript:alert(1)'],
    ['size', 1.5],
    ['size', '1e1'],
    ['size', Number.NaN],
    ['mode', '__proto__'],
  ])('refuse %s = %j', (name, value) => {
    const result = parseSettings(definition, { channel: 'C1', mode: 'safe', [name]: value });
    expect(result).toMatchObject({ ok: false });
  });

  it('never repeat a password that stands in a URL', () => {
    const result = parseSettings(definition, { channel: 'C1', mode: 'safe', base: 'https://u:hunter2@example.com' });
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });
});

describe('secrets', () => {
  const withSecrets = {
    slug: 'demo',
    secrets: {
      token: secret('Token.', { check: (value) => (value.startsWith('t-') ? undefined : 'must start with t-') }),
      spare: secret('Spare.', { optional: true }),
    },
  };

  it('are complete when every required one has a usable value', () => {
    expect(checkSecrets(withSecrets, { token: ['t-1', 't-2'] })).toEqual([]);
  });

  it('name the one that is missing, empty, wrong or unknown, and never its value', () => {
    const problems = checkSecrets(withSecrets, { token: ['t-1', 'hunter2', ''], other: ['x'] });
    expect(problems).toEqual([
      'secrets.other is not known to demo',
      'secrets.token[1] must start with t-',
      'secrets.token[2] must not be empty',
    ]);
    expect(checkSecrets(withSecrets, {})).toEqual(['secrets.token is missing: Token.']);
  });
});
