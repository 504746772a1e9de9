import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A file that is derived from something else in the workspace. */
export interface GeneratedFile {
  /** From the top of the workspace, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface WriteOptions {
  readonly check: boolean;
  readonly root: string;
}

/** @returns the paths that were not up to date; with `check` they are left as they are. */
export function bringUpToDate(files: readonly GeneratedFile[], { check, root }: WriteOptions): string[] {
  const stale = files.filter(({ path, text }) => read(join(root, path)) !== text);
  if (!check) for (const { path, text } of stale) write(join(root, path), text);
  return stale.map(({ path }) => path);
}

function read(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
