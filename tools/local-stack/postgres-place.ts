import { createHash, randomUUID } from 'node:crypto';
import { cpSync, existsSync, lstatSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { LocalStackError } from './errors.js';
import type { PostgresAccount } from './postgres-account.js';

export interface PostgresPlace {
  /** Holds bin, lib and share. */
  readonly installation: string;
  readonly dataFolder: string;
}

const sharedTemporary = '/var/tmp';

/**
 * Where PostgreSQL's files are used from. A clone in /root cannot be entered by the account that PostgreSQL must run
 * under, so there both live beside it, in a folder of root's under /var/tmp that is named after the wanted place.
 */
export function placeFor(account: PostgresAccount | undefined, wanted: PostgresPlace): PostgresPlace {
  if (!account) return wanted;
  const canStay = [wanted.installation, dirname(wanted.dataFolder)].every((path) => canEnter(account, path));
  if (canStay) return wanted;
  const folder = join(sharedTemporary, `tributary-${hash(wanted.dataFolder)}`);
  claimFolder(folder);
  return { installation: copyOnce(wanted.installation, folder), dataFolder: join(folder, basename(wanted.dataFolder)) };
}

/** True when every folder from the root down to this one can be entered. */
export function canEnter(account: Pick<PostgresAccount, 'uid' | 'gid'>, path: string): boolean {
  const { mode, uid, gid } = statSync(path);
  const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
  if (((mode >> shift) & 1) === 0) return false;
  const parent = dirname(path);
  return parent === path || canEnter(account, parent);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** Anybody may create names in /var/tmp; a folder that is not ours could hold somebody else's programs. */
function claimFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const found = lstatSync(folder);
  if (found.isDirectory() && found.uid === process.getuid?.()) return;
  throw new LocalStackError(
    `${folder} belongs to another user; remove it, or choose a --data-dir outside private folders`,
  );
}

function copyOnce(installation: string, folder: string): string {
  const copy = join(folder, `postgres-${hash(installation + statSync(join(installation, 'bin/postgres')).mtimeMs)}`);
  if (existsSync(copy)) return copy;
  const partial = `${copy}.${randomUUID()}`;
  cpSync(installation, partial, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(partial, copy);
  } catch (error) {
    if (!existsSync(copy)) throw error;
    rmSync(partial, { recursive: true, force: true }); // another start finished the same copy first
  }
  return copy;
}
