import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheRoot } from '../local-stack/java-artifacts.js';

const run = promisify(execFile);

/**
 * Programs that Go builds from source, by name. Each is pinned: `<package>@<version>`, or a folder of ours (`./tools/...`) whose go.mod names
 * the program as its tool, and whose go.sum pins what it is made of. They are no part of the product: only checks need them.
 */
export type GoPackages<Name extends string> = Readonly<Record<Name, string>>;
export type GoTools<Name extends string> = Readonly<Record<Name, string>>;

export interface GoToolsOptions {
  /** Where folders of ours are. */
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}

/** Named after what is in it: another version is built anew, and clones share what is the same. */
async function toolsFolder(packages: GoPackages<string>, { root, env }: GoToolsOptions): Promise<string> {
  const pinned = await Promise.all(
    Object.entries(packages).map(async ([name, path]) => [name, isOurs(path) ? await contentOf(root, path) : path]),
  );
  const hash = createHash('sha256')
    .update(JSON.stringify(Object.fromEntries(pinned)))
    .digest('hex');
  return join(cacheRoot(env), `go-tools-${hash.slice(0, 16)}`);
}

const isOurs = (path: string): boolean => path.startsWith('./');

async function contentOf(root: string, folder: string): Promise<string> {
  const files = (await readdir(join(root, folder))).sort();
  return (await Promise.all(files.map((file) => readFile(join(root, folder, file), 'utf8')))).join('\n');
}

/** Paths of the programs, built where they are missing. @throws Error that says what to install when there is no Go. */
export async function goTools<Name extends string>(
  packages: GoPackages<Name>,
  options: GoToolsOptions,
): Promise<GoTools<Name>> {
  const folder = await toolsFolder(packages, options);
  if (!existsSync(folder)) await build(folder, packages, options);
  return Object.fromEntries(Object.keys(packages).map((name) => [name, join(folder, name)])) as GoTools<Name>;
}

async function build(folder: string, packages: GoPackages<string>, options: GoToolsOptions): Promise<void> {
  await requireGo(Object.keys(packages), options.env);
  const partial = `${folder}.partial-${randomUUID()}`;
  await mkdir(partial, { recursive: true });
  try {
    for (const [name, path] of Object.entries(packages)) {
      options.say(`building ${name} (${path}), once per machine`);
      await buildOne({ path, into: join(partial, name) }, options);
    }
    await rename(partial, folder).catch((error: Error) => {
      // Another clone was first: its copy is the same, named by the same hash.
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** `go install` names a program after its folder, which is `cmd` for some: so each has a place of its own first. */
async function buildOne({ path, into }: { path: string; into: string }, { root, env }: GoToolsOptions): Promise<void> {
  const place = `${into}.bin`;
  const cwd = isOurs(path) ? join(root, path) : root;
  const goEnv = { ...env, GOBIN: place, GOFLAGS: '-trimpath -buildvcs=false' };
  await run('go', ['install', isOurs(path) ? 'tool' : path], { cwd, env: goEnv, timeout: 900_000 });
  const [program = ''] = await readdir(place);
  await rename(join(place, program), into);
  await rm(place, { recursive: true });
}

async function requireGo(names: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  await run('go', ['version'], { env }).catch((error: Error) => {
    throw new Error(
      `this check builds ${names.join(', ')} with Go, and "go version" fails (${error.message}); install Go 1.26.8 or newer (https://go.dev/dl). Nothing else of Tributary needs it.`,
    );
  });
}
