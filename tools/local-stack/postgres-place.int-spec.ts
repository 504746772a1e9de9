import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { canEnter, placeFor } from './postgres-place.js';

const folder = mkdtempSync(join(tmpdir(), 'tributary-place-'));
const inner = join(folder, 'inner');
mkdirSync(inner);
chmodSync(inner, 0o755);
const { uid, gid } = statSync(folder);
const stranger = { uid: uid + 4242, gid: gid + 4242 };

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the place of PostgreSQL', () => {
  it.each([
    ['everybody, into an open folder', 0o755, stranger, true],
    ['nobody else, into a private folder', 0o700, stranger, false],
    ['the owner, into a private folder', 0o700, { uid, gid: gid + 4242 }, true],
    ['the group, when it may', 0o710, { uid: uid + 4242, gid }, true],
    ['no member of a group that may not, though others may', 0o701, { uid: uid + 4242, gid }, false],
  ])('lets in %s', (_, mode, account, allowed) => {
    chmodSync(folder, mode);
    expect(canEnter(account, inner)).toBe(allowed);
  });

  it('stays where it was wanted for a user who is not root', () => {
    const wanted = { installation: '/repo/native', dataFolder: join(inner, 'postgres') };
    expect(placeFor(undefined, wanted)).toEqual(wanted);
  });
});
