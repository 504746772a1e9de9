import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SealingKey } from '@tributary/config';
import { expect, it, onTestFinished } from 'vitest';
import { writeMissingKeys } from './prepare.js';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'tributary-keys-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return join(path, 'keys');
}

it('keys are made once, readable for their owner alone, and never replaced', () => {
  const keys = folder();
  expect(writeMissingKeys(keys)).toEqual(['kek', 'ledger', 'audit.pub', 'audit']);
  const before = ['kek', 'ledger', 'audit'].map((name) => readFileSync(join(keys, name), 'utf8'));
  expect(() => SealingKey.parse(before[0]!)).not.toThrow();
  for (const name of ['kek', 'ledger', 'audit']) expect(statSync(join(keys, name)).mode & 0o777).toBe(0o600);
  expect(writeMissingKeys(keys)).toEqual([]);
  expect(['kek', 'ledger', 'audit'].map((name) => readFileSync(join(keys, name), 'utf8'))).toEqual(before);
});

it('a missing one is made beside those that are there', () => {
  const keys = folder();
  writeMissingKeys(keys);
  const kek = readFileSync(join(keys, 'kek'), 'utf8');
  rmSync(join(keys, 'ledger'));
  expect(writeMissingKeys(keys)).toEqual(['ledger']);
  expect(readFileSync(join(keys, 'kek'), 'utf8')).toBe(kek);
});
