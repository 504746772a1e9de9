import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { peerFailures } from './peer-failures.js';

/** A test is a row of the list when its name begins with the id. */
const rowName = /\bit\(\s*'([a-z0-9-]+): /g;

it('each known failure of a peer has exactly one test', () => {
  const folder = import.meta.dirname;
  const rows = readdirSync(folder)
    .filter((file) => /spec\.ts$/.test(file))
    .flatMap((file) => [...readFileSync(join(folder, file), 'utf8').matchAll(rowName)].map(([, id]) => id));
  expect([...rows].sort()).toEqual([...peerFailures].sort());
});
