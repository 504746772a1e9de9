import { execFile } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../tools/local-stack/index.js';

const run = promisify(execFile);

/** A built workspace whose services can be started. */
export interface BuiltVersion {
  readonly name: string;
  readonly root: string;
}

/** An earlier commit, checked out and built beside this workspace. @throws Error when it cannot be built. */
export async function buildCommit(ref: string, folder: string): Promise<BuiltVersion & { remove(): Promise<void> }> {
  const root = join(folder, 'before');
  const git = (...args: string[]) => run('git', args, { cwd: repositoryRoot() });
  const { stdout } = await git('rev-parse', '--short', `${ref}^{commit}`);
  await git('worktree', 'add', '--detach', root, stdout.trim());
  // Packages are those of this commit: an upgrade of one is another kind of test.
  symlinkSync(join(repositoryRoot(), 'node_modules'), join(root, 'node_modules'));
  await run(process.execPath, ['tools/build/build.mjs'], { cwd: root });
  return {
    name: stdout.trim(),
    root,
    remove: async () => void (await git('worktree', 'remove', '--force', root)),
  };
}

/** This build, with one more version of records that every event goes through: what the next release may bring. */
export function nextVersion(folder: string): BuiltVersion {
  const root = join(folder, 'after');
  mkdirSync(root);
  cpSync(join(repositoryRoot(), 'dist'), join(root, 'dist'), { recursive: true });
  cpSync(join(repositoryRoot(), 'package.json'), join(root, 'package.json'));
  symlinkSync(join(repositoryRoot(), 'node_modules'), join(root, 'node_modules'));
  const file = join(root, 'dist/libs/contracts/src/generated/records.js');
  if (!readFileSync(file, 'utf8').includes('export const schemas')) throw new Error(`${file} holds no schemas`);
  appendFileSync(file, oneVersionAhead);
  return { name: 'next', root };
}

/** The record types that the load of the check consists of. */
export const aheadRecords = ['tributary.raw.RawRecord', 'tributary.external.ExternalEvent'] as const;

const oneVersionAhead = `
for (const name of ${JSON.stringify(aheadRecords)}) {
  const last = schemas[name].at(-1);
  const added = { name: 'addedByTheNextVersion', type: ['null', 'string'], default: null };
  schemas[name] = [...schemas[name], { ...last, fields: [...last.fields, added] }];
}
`;
