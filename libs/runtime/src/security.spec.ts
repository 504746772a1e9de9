import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Agent as HttpsAgent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { platformSettings, readSettings } from '@tributary/config';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kafkaSecurity, registryOptions } from './security.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-security-'));
  for (const name of ['ca', 'cert', 'key', 'password']) writeFileSync(join(folder, name), `${name} 1\n`);
});
afterEach(() => rmSync(folder, { recursive: true }));

const settingsOf = (variables: Readonly<Record<string, string>>) =>
  readSettings(platformSettings, {
    KAFKA_BROKERS: 'kafka:9092',
    SCHEMA_REGISTRY_URL: 'https://registry',
    ...variables,
  });
const file = (name: string): string => join(folder, name);

describe('what a process shows to Kafka', () => {
  it('is nothing by default', () => {
    expect(kafkaSecurity(settingsOf({}))).toEqual({});
    expect(kafkaSecurity(settingsOf({ KAFKA_TLS: 'on' }))).toEqual({ ssl: true });
  });

  it('is what its files hold whenever it connects', () => {
    const { ssl, sasl } = kafkaSecurity(
      settingsOf({
        KAFKA_TLS: file('ca'),
        KAFKA_TLS_CERT_FILE: file('cert'),
        KAFKA_TLS_KEY_FILE: file('key'),
        KAFKA_SASL_MECHANISM: 'scram-sha-512',
        KAFKA_USERNAME: 'router',
        KAFKA_PASSWORD: `file:${file('password')}`,
      }),
    );
    // The client copies the transport's options for each connection.
    const seen = () => ({ ...(ssl as object), password: (sasl as { password: string }).password });
    expect(seen()).toEqual({ ca: 'ca 1\n', cert: 'cert 1\n', key: 'key 1\n', password: 'password 1' });
    for (const name of ['ca', 'cert', 'key', 'password']) writeFileSync(file(name), `${name} 2\n`);
    expect(seen()).toEqual({ ca: 'ca 2\n', cert: 'cert 2\n', key: 'key 2\n', password: 'password 2' });
    expect(sasl).toMatchObject({ mechanism: 'scram-sha-512', username: 'router' });
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['half of a certificate', { KAFKA_TLS: 'on', KAFKA_TLS_CERT_FILE: '/x' }, /belong together/],
    ['a certificate without TLS', { KAFKA_TLS_CERT_FILE: '/x', KAFKA_TLS_KEY_FILE: '/y' }, /KAFKA_TLS is off/],
    ['a CA that is not there', { KAFKA_TLS: '/not/there' }, /\/not\/there/],
    ['a mechanism without a user', { KAFKA_SASL_MECHANISM: 'plain' }, /give KAFKA_USERNAME and KAFKA_PASSWORD/],
    [
      'a password file that is not there',
      { KAFKA_SASL_MECHANISM: 'plain', KAFKA_USERNAME: 'u', KAFKA_PASSWORD: 'file:/not/there' },
      /\/not\/there/,
    ],
  ])('is refused at the start with %s', (_, variables, problem) => {
    expect(() => kafkaSecurity(settingsOf(variables))).toThrow(problem);
  });
});

describe('what a process shows to the registry', () => {
  it('is its login, read again, and whom it believes', () => {
    const { auth, agent, registryUrl } = registryOptions(
      settingsOf({
        SCHEMA_REGISTRY_USERNAME: 'tributary',
        SCHEMA_REGISTRY_PASSWORD: `file:${file('password')}`,
        SCHEMA_REGISTRY_CA_FILE: file('ca'),
      }),
    );
    expect(registryUrl).toBe('https://registry');
    expect((agent as HttpsAgent).options).toMatchObject({ ca: 'ca 1\n' });
    writeFileSync(file('password'), 'another');
    expect(auth).toMatchObject({ username: 'tributary', password: 'another' });
  });

  it('is refused with half of a login', () => {
    expect(() => registryOptions(settingsOf({ SCHEMA_REGISTRY_USERNAME: 'u' }))).toThrow(/belong together/);
  });
});
