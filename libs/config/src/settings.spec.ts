import { describe, expect, it } from 'vitest';
import {
  describeSettings,
  flag,
  InvalidSettings,
  integer,
  list,
  optionalText,
  readSettings,
  text,
} from './settings.js';

const settings = {
  brokers: list('BROKERS', 'Kafka brokers.'),
  port: integer('PORT', 'Port to listen on.', 8080, 1),
  verbose: flag('VERBOSE', 'More words.'),
  token: optionalText('TOKEN', 'A token.', { secret: true }),
  name: text('NAME', 'A name.', { fallback: 'x' }),
};

describe('settings', () => {
  it('reads, parses and freezes', () => {
    const values = readSettings(settings, { BROKERS: 'a:1, b:2', VERBOSE: 'true' });
    expect(values).toEqual({ brokers: ['a:1', 'b:2'], port: 8080, verbose: true, token: undefined, name: 'x' });
    expect(Object.isFrozen(values)).toBe(true);
  });

  it('names every problem at once and no secret', () => {
    const read = () =>
      readSettings(
        { ...settings, key: { ...settings.port, variable: 'KEY', secret: true } },
        { PORT: '0', KEY: 'hunter2', VERBOSE: 'maybe' },
      );
    expect(read).toThrow(InvalidSettings);
    expect(read).toThrow(
      /BROKERS is missing[\s\S]*PORT: "0" must be[\s\S]*VERBOSE: "maybe"[\s\S]*KEY: its value must be/,
    );
    expect(read).not.toThrow(/hunter2/);
  });

  it('shows secrets only as set or missing', () => {
    expect(describeSettings(settings, { TOKEN: 'hunter2' })).toMatchObject({
      TOKEN: 'set',
      PORT: '8080',
      BROKERS: 'missing',
    });
  });
});
