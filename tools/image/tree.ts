import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { importGraph } from './import-graph.js';
import { type PackageLock, type PackageManifest, packageSubset } from './package-subset.js';

export interface TreeOptions {
  /** The workspace, built. */
  readonly root: string;
  /** An app, or `cli`. */
  readonly image: string;
  readonly target: string;
}

/** The images there are: one for each app, and the command line. */
export function imagesOf(root: string): string[] {
  const apps = readdirSync(join(root, 'apps')).filter((app) => existsSync(join(root, 'apps', app, 'src/main.ts')));
  return [...apps, 'cli'].sort();
}

/**
 * Writes what one image needs and nothing else: the files its program imports, a manifest and a lock of the packages they import, and
 * `main.js`, which starts it. `npm ci` in there completes it.
 * @throws Error for an image that there is not.
 */
export function writeTree({ root, image, target }: TreeOptions): void {
  const known = imagesOf(root);
  if (!known.includes(image)) throw new Error(`there is no image ${image}; there are ${known.join(', ')}`);
  const built = join(root, 'dist');
  const entry = image === 'cli' ? 'tools/cli/main.js' : `apps/${image}/src/main.js`;
  const manifest = readJson<PackageManifest>(root, 'package.json');
  const graph = importGraph(built, entry, new Set(Object.keys(manifest.dependencies)));
  for (const file of graph.files) copy(join(built, file), join(target, file));
  const subset = packageSubset(manifest, readJson<PackageLock>(root, 'package-lock.json'), image, graph.packages);
  writeJson(join(target, 'package.json'), subset.manifest);
  writeJson(join(target, 'package-lock.json'), subset.lock);
  copy(join(root, '.npmrc'), join(target, '.npmrc'));
  copy(join(root, 'LICENSE'), join(target, 'LICENSE'));
  writeFileSync(join(target, 'main.js'), `import './${entry}';\n`);
}

const readJson = <T>(root: string, file: string): T => JSON.parse(readFileSync(join(root, file), 'utf8')) as T;

function writeJson(file: string, content: object): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
}
