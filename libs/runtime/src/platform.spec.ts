import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { platformSettings, readSettings } from '@tributary/config';
import { type TopicAccess, topics } from '@tributary/contracts';
import { createLogger } from '@tributary/telemetry';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectPlatform } from './platform.js';

const required = { KAFKA_BROKERS: '127.0.0.1:1', SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1' };
const nothing: TopicAccess = { consumes: [], follows: [], writes: [] };

function connect(variables: Readonly<Record<string, string>>, access: TopicAccess = nothing) {
  const platform = connectPlatform({
    name: 'spec',
    settings: readSettings(platformSettings, { ...required, ...variables }),
    logger: createLogger({ service: 'spec', instance: '1', level: 'silent' }),
    access,
    onFatal: () => undefined,
  });
  onTestFinished(() => platform.close());
  return platform;
}

function pem(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-pem-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'x.pem'), 'PEM');
  return join(folder, 'x.pem');
}

describe('a client certificate', () => {
  it('is taken with its key, over TLS', () => {
    const file = pem();
    expect(() => connect({ KAFKA_TLS: file, KAFKA_TLS_CERT_FILE: file, KAFKA_TLS_KEY_FILE: file })).not.toThrow();
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['without its key', { KAFKA_TLS: 'on', KAFKA_TLS_CERT_FILE: '/x' }, /belong together/],
    ['without itself', { KAFKA_TLS: 'on', KAFKA_TLS_KEY_FILE: '/x' }, /belong together/],
    ['without TLS', { KAFKA_TLS_CERT_FILE: '/x', KAFKA_TLS_KEY_FILE: '/x' }, /KAFKA_TLS is off/],
    [
      'that is not there',
      { KAFKA_TLS: 'on', KAFKA_TLS_CERT_FILE: '/gone.pem', KAFKA_TLS_KEY_FILE: '/gone.pem' },
      /gone\.pem/,
    ],
  ])('is refused %s', (_, variables, message) => {
    expect(() => connect(variables)).toThrow(message);
  });
});

describe('what a process declares', () => {
  it('keeps it from following other tables', () => {
    const platform = connect({}, { ...nothing, follows: [topics.connections] });
    expect(() => platform.followTables(['connections', 'apiKeys'])).toThrow(/^apiKeys must be in "follows"/);
  });

  it('keeps it from writing other topics', async () => {
    const { producer } = connect({}, { ...nothing, follows: [topics.connections] });
    await expect(producer.send({ topic: topics.audit.name, key: null, value: null })).rejects.toThrow(/may not write/);
  });
});
