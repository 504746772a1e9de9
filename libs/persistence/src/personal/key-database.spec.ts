import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keysAddressAt } from './key-database.js';

let file: string;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-keys-'));
  file = join(folder, 'url');
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (password: string) =>
  writeFileSync(file, `postgres://keeper:${password}@db:5432/tributary?sslmode=require\n`);

describe('the address of the data keys', () => {
  it.each([
    ['of its own', () => ({ databaseUrl: 'postgres://other', keysDatabaseUrl: `file:${file}` }), 'tributary'],
    ['beside the ledger', () => ({ databaseUrl: `file:${file}`, keysDatabaseUrl: undefined }), 'tributary_keys'],
  ])('%s is what the file holds whenever it is asked for', (_, place, database) => {
    write('first');
    const address = keysAddressAt(place());
    expect(address()).toBe(`postgres://keeper:first@db:5432/${database}?sslmode=require`);
    write('second');
    expect(address()).toBe(`postgres://keeper:second@db:5432/${database}?sslmode=require`);
  });

  it('is refused at the start when the file is not there', () => {
    expect(() => keysAddressAt({ databaseUrl: `file:${file}`, keysDatabaseUrl: undefined })).toThrow(/url/);
  });
});
