import { describe, expect, it } from 'vitest';
import { databaseSettings, platformSettings } from './platform-settings.js';
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

  it('shows no credentials of an address', () => {
    const url = { url: text('URL', 'An address.') };
    expect(describeSettings(url, { URL: 'https://user:hunter2@registry:8081/x' })).toEqual({
      URL: 'https://***@registry:8081/x',
    });
  });

  it('shows secrets only as set or missing', () => {
    expect(describeSettings(settings, { TOKEN: 'hunter2' })).toMatchObject({
      TOKEN: 'set',
      PORT: '8080',
      BROKERS: 'missing',
    });
  });
});

describe('the settings of every service', () => {
  const enough = { KAFKA_BROKERS: 'a:1', SCHEMA_REGISTRY_URL: 'http://r' };

  it('need only what nobody can guess', () => {
    expect(readSettings(platformSettings, enough)).toMatchObject({ port: 8080, logLevel: 'info', kafkaTls: 'off' });
    expect(() => readSettings({ ...platformSettings, ...databaseSettings }, {})).toThrow(
      /KAFKA_BROKERS is missing[\s\S]*SCHEMA_REGISTRY_URL is missing[\s\S]*DATABASE_URL is missing/,
    );
  });

  it.each([
    ['KAFKA_BROKERS', ' , ', 'must name at least one'],
    ['LOG_LEVEL', 'loud', 'must be one of trace'],
    ['KAFKA_SASL_MECHANISM', 'PLAIN', 'must be one of plain'],
    ['PORT', '65536', 'at most 65535'],
    ['PORT', '-1', 'at least 0'],
    ['PORT', '80.5', 'whole number'],
    ['PORT', '0x50', 'whole number'],
    ['SHUTDOWN_MS', '9'.repeat(400), 'whole number'],
    ['TRACE_RATIO', '1.5', 'from 0 to 1'],
    ['TRACE_RATIO', ' ', 'from 0 to 1'],
    ['TRACE_RATIO', 'NaN', 'from 0 to 1'],
  ])('refuse %s=%s', (variable, value, problem) => {
    expect(() => readSettings(platformSettings, { ...enough, [variable]: value })).toThrow(InvalidSettings);
    expect(() => readSettings(platformSettings, { ...enough, [variable]: value })).toThrow(problem);
  });

  it('takes an empty variable for an absent one', () => {
    expect(readSettings(platformSettings, { ...enough, PORT: '', INSTANCE_ID: '' })).toMatchObject({
      port: 8080,
      instance: undefined,
    });
    expect(() => readSettings(platformSettings, { ...enough, KAFKA_BROKERS: '' })).toThrow('KAFKA_BROKERS is missing');
  });
});
