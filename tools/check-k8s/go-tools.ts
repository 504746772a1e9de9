import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheRoot } from '../local-stack/java-artifacts.js';

const run = promisify(execFile);

/** Programs that Go builds from source, each pinned. They are no part of the product: only this check needs them. */
const packages = {
  helm: 'helm.sh/helm/v3/cmd/helm@v3.22.0',
  kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0',
  // 5.8.3 wants Go 1.27.
  kustomize: 'sigs.k8s.io/kustomize/kustomize/v5@v5.8.2',
} as const;

export type GoTool = keyof typeof packages;
export type GoTools = Readonly<Record<GoTool, string>>;

/** Named after what is in it: another version is built anew, and clones share what is the same. */
export function toolsFolder(env: NodeJS.ProcessEnv): string {
  const hash = createHash('sha256').update(JSON.stringify(packages)).digest('hex').slice(0, 16);
  return join(cacheRoot(env), `go-tools-${hash}`);
}

/** Paths of the programs, built where they are missing. @throws Error that says what to install when there is no Go. */
export async function goTools(env: NodeJS.ProcessEnv, say: (line: string) => void): Promise<GoTools> {
  const folder = toolsFolder(env);
  if (!existsSync(folder)) await build(folder, env, say);
  return Object.fromEntries(Object.keys(packages).map((name) => [name, join(folder, name)])) as GoTools;
}

async function build(folder: string, env: NodeJS.ProcessEnv, say: (line: string) => void): Promise<void> {
  await requireGo(env);
  const partial = `${folder}.partial-${randomUUID()}`;
  await mkdir(partial, { recursive: true });
  try {
    for (const [name, path] of Object.entries(packages)) {
      say(`building ${name} (${path}), once per machine`);
      await run('go', ['install', path], { env: { ...env, GOBIN: partial, GOFLAGS: '-trimpath' }, timeout: 600_000 });
    }
    await rename(partial, folder).catch((error: Error) => {
      // Another clone was first: its copy is the same, named by the same hash.
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

async function requireGo(env: NodeJS.ProcessEnv): Promise<void> {
  await run('go', ['version'], { env }).catch((error: Error) => {
    throw new Error(
      `this check builds ${Object.keys(packages).join(', ')} with Go, and "go version" fails (${error.message}); install Go 1.26 or newer (https://go.dev/dl). Nothing else of Tributary needs it.`,
    );
  });
}
