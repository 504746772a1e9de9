// Builds the workspace in one TypeScript pass into dist/ and rewrites path aliases.
// Skips the work when nothing under the source folders is newer than the last successful build,
// so that `npm start` on a built tree costs milliseconds. `--force` builds anyway.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = new URL('../../', import.meta.url).pathname;
const stamp = join(root, 'dist/.built');
const sourceFolders = ['apps', 'libs', 'tools', 'bench', 'test'];
const configFiles = ['tsconfig.json', 'tsconfig.build.json', 'package.json'];
// Read at run time by path, so they travel with the build. Everything else in the tree is TypeScript.
const assetPatterns = [
  '**/*.avsc',
  '**/*.sql',
  'tools/**/pom.xml',
  'tools/**/*.properties',
  '**/fixtures/**/*',
  '**/*.mjs',
];

function newestChange(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  let newest = stat.mtimeMs;
  for (const entry of readdirSync(path)) {
    if (entry === 'node_modules' || entry === 'dist' || entry === '.local') continue;
    newest = Math.max(newest, newestChange(join(path, entry)));
  }
  return newest;
}

function isFresh() {
  if (!existsSync(stamp)) return false;
  const builtAt = statSync(stamp).mtimeMs;
  return [...sourceFolders, ...configFiles].every((path) => newestChange(join(root, path)) <= builtAt);
}

function run(label, script, args) {
  const result = spawnSync(process.execPath, [join(root, script), ...args], { cwd: root, stdio: 'inherit' });
  if (result.status === 0) return;
  console.error(`build: ${label} failed`);
  process.exit(result.status ?? 1);
}

const force = process.argv.includes('--force');
if (!force && isFresh()) process.exit(0);
const startedAt = Date.now();
if (force) rmSync(join(root, 'dist'), { recursive: true, force: true });
rmSync(stamp, { force: true });
console.log('build: compiling the workspace');
run('compiling', 'node_modules/typescript/bin/tsc', ['-p', 'tsconfig.build.json']);
run('rewriting path aliases', 'node_modules/tsc-alias/dist/bin/index.js', ['-p', 'tsconfig.build.json']);
for (const pattern of assetPatterns) {
  for (const folder of sourceFolders) {
    const cwd = join(root, folder);
    if (!existsSync(cwd)) continue;
    const scoped = pattern.startsWith(`${folder}/`) ? pattern.slice(folder.length + 1) : pattern;
    if (scoped === pattern && pattern.startsWith('tools/') && folder !== 'tools') continue;
    for (const file of globSync(scoped, { cwd })) {
      const from = join(cwd, file);
      if (statSync(from).isDirectory()) continue;
      const to = join(root, 'dist', folder, file);
      mkdirSync(dirname(to), { recursive: true });
      cpSync(from, to);
    }
  }
}
writeFileSync(stamp, '');
console.log(`build: done in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
