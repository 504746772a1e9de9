import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SealingKey } from './sealing.js';
import { isSecretReference, SecretReader } from './secrets.js';

const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('secret references', () => {
  it.each(['file:/run/secrets/x', 'env:ACME_TOKEN', 'enc:AAAA_-'])('%s is one', (text) => {
    expect(isSecretReference(text)).toBe(true);
  });
  it.each(['', 'hunter2', 'whsec_abc', 'env:', 'env:1A', 'enc:', 'http://x', 'ENV:A'])('%j is not', (text) => {
    expect(isSecretReference(text)).toBe(false);
  });
});

describe('SecretReader', () => {
  const key = SealingKey.parse(SealingKey.generate());

  it('opens what was sealed, and nothing sealed under another key', () => {
    const sealed = key.seal('hunter2');
    expect(new SecretReader(key).read(sealed)).toEqual({ ok: true, value: 'hunter2' });
    expect(new SecretReader(SealingKey.parse(SealingKey.generate())).read(sealed)).toMatchObject({ ok: false });
    expect(new SecretReader(undefined).read(sealed)).toMatchObject({ ok: false, reason: /no key-encryption key/ });
    expect(new SecretReader(key).read(`${sealed.slice(0, -4)}AAAA`)).toMatchObject({ ok: false });
  });

  it('reads a file again when it changed', () => {
    const path = join(folder, 'token');
    const reader = new SecretReader(undefined);
    expect(reader.read(`file:${path}`)).toMatchObject({ ok: false, reason: /ENOENT/ });
    writeFileSync(path, 'old\n');
    expect(reader.read(`file:${path}`)).toEqual({ ok: true, value: 'old' });
    writeFileSync(path, 'new\n');
    utimesSync(path, new Date(), new Date(Date.now() + 5000));
    expect(reader.read(`file:${path}`)).toEqual({ ok: true, value: 'new' });
  });

  it('never says a secret when it fails', () => {
    expect(new SecretReader(undefined, {}).read('env:NOPE')).toEqual({
      ok: false,
      reason: 'environment variable NOPE is not set',
    });
    expect(JSON.stringify(new SecretReader(undefined, {}).read('hunter2'))).not.toContain('hunter2');
  });
});
