import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
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

  it('reads a file again that was replaced by one of the same time and size', () => {
    const path = join(folder, 'replaced');
    const time = new Date(1_700_000_000_000);
    const write = (to: string, value: string) => {
      writeFileSync(to, value);
      utimesSync(to, time, time);
    };
    const reader = new SecretReader(undefined);
    write(path, 'aaaa');
    expect(reader.read(`file:${path}`)).toEqual({ ok: true, value: 'aaaa' });
    write(`${path}.new`, 'bbbb');
    renameSync(`${path}.new`, path);
    expect(reader.read(`file:${path}`)).toEqual({ ok: true, value: 'bbbb' });
  });

  it.each(['', ' \n'])('takes a file with %j for a missing secret', (text) => {
    const path = join(folder, 'empty');
    writeFileSync(path, text);
    expect(new SecretReader(undefined).read(`file:${path}`)).toEqual({ ok: false, reason: `file ${path} is empty` });
  });

  it.each(['enc:', 'enc:AAAA', 'enc:!!!!', `enc:${'A'.repeat(100)}`])(
    'does not open %s, and does not throw',
    (text) => {
      expect(new SecretReader(key).read(text)).toMatchObject({ ok: false });
    },
  );

  it('never says a secret when it fails', () => {
    expect(new SecretReader(undefined, {}).read('env:NOPE')).toEqual({
      ok: false,
      reason: 'environment variable NOPE is not set',
    });
    expect(JSON.stringify(new SecretReader(undefined, {}).read('hunter2'))).not.toContain('hunter2');
  });
});

describe('SealingKey', () => {
  it.each(['', 'abc', 'f'.repeat(63), 'g'.repeat(64), Buffer.alloc(31).toString('base64')])('refuses %j', (text) => {
    expect(() => SealingKey.parse(text)).toThrow('a key-encryption key is 32 bytes');
  });

  it('takes hex and base64, with the newline of a file', () => {
    const bytes = Buffer.alloc(32, 7);
    const sealed = SealingKey.parse(`${bytes.toString('hex')}\n`).seal('häßlich 🙂');
    expect(SealingKey.parse(bytes.toString('base64')).open(sealed)).toBe('häßlich 🙂');
  });

  it('never seals the same text to the same bytes', () => {
    const key = SealingKey.parse(SealingKey.generate());
    expect(key.seal('x')).not.toBe(key.seal('x'));
  });
});
