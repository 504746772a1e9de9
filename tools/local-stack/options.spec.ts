import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot, settingsOf } from './options.js';

describe('the settings of the local stack', () => {
  it('default to all parts, kept data in .local and free ports', () => {
    const settings = settingsOf({ env: {} });
    expect(settings.dataDir).toBe(join(repositoryRoot(), '.local'));
    expect([...settings.parts].sort()).toEqual(['kafka', 'postgres', 'registry']);
    expect(settings).toMatchObject({ wipe: false, ports: {} });
    expect(settings.jvmFlags.kafka).toEqual(['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx512m']);
  });

  it('take ports from the environment, an option wins', () => {
    const env = { TRIBUTARY_KAFKA_PORT: '19092', TRIBUTARY_POSTGRES_PORT: '15432', TRIBUTARY_REGISTRY_PORT: '' };
    expect(settingsOf({ env, ports: { kafka: 29_092 } }).ports).toEqual({ kafka: 29_092, postgres: 15_432 });
  });

  it('take JVM flags from the environment', () => {
    const env = { TRIBUTARY_KAFKA_JVM_FLAGS: ' -Xmx2g  -XX:+UseG1GC ', TRIBUTARY_REGISTRY_JVM_FLAGS: '' };
    expect(settingsOf({ env }).jvmFlags).toEqual({ kafka: ['-Xmx2g', '-XX:+UseG1GC'], registry: [] });
  });

  it('bring PostgreSQL when the registry is asked for', () => {
    expect([...settingsOf({ env: {}, parts: ['registry'] }).parts].sort()).toEqual(['postgres', 'registry']);
    expect([...settingsOf({ env: {}, parts: ['kafka'] }).parts]).toEqual(['kafka']);
  });

  it.each([
    ['a port that is none', { env: { TRIBUTARY_KAFKA_PORT: 'kafka' } }, 'TRIBUTARY_KAFKA_PORT is "kafka"'],
    ['a fractional port', { env: {}, ports: { postgres: 1.5 } }, 'the port of postgres is "1.5"'],
    [
      'one port twice',
      { env: {}, ports: { kafka: 9092, registry: 9092 } },
      'port 9092 is given to both kafka and registry',
    ],
  ])('refuse %s', (_, options, message) => {
    expect(() => settingsOf(options)).toThrow(message);
  });
});
