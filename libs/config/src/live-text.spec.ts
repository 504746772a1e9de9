import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { liveFile, liveText } from './live-text.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-live-'));
  file = join(folder, 'password');
  writeFileSync(file, 'first\n');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('a text that may change', () => {
  it('is read again each time', () => {
    const password = liveText(`file:${file}`);
    expect(password()).toBe('first');
    writeFileSync(file, 'second');
    expect(password()).toBe('second');
  });

  it.each([
    ['is away', () => rmSync(file)],
    ['is empty', () => writeFileSync(file, '\n')],
  ])('stays while its file %s, and is the new one afterwards', (_, spoil) => {
    const password = liveText(`file:${file}`);
    spoil();
    expect(password()).toBe('first');
    writeFileSync(file, 'second');
    expect(password()).toBe('second');
  });

  it('that is no file is itself', () => {
    expect(liveText('pass:file:word')()).toBe('pass:file:word');
  });

  it('of a file keeps all of its lines', () => {
    expect(liveFile(file)()).toBe('first\n');
  });

  it.each(['absent', ''])('whose file is %s at the start is refused', (name) => {
    if (name === '') writeFileSync(file, '');
    expect(() => liveFile(name === '' ? file : join(folder, name))).toThrow(folder);
  });
});
