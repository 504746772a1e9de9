// Compiles a program once, while its image is made, so that its pods need not: `node tools/image/bake.mjs <folder> <node flags...>`.
// Starts it with a setting that nobody takes; by the time it says so everything is loaded. Node keeps a cache for each version, set of
// flags and user, so this runs as the user and with the flags of the image.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const [folder, ...flags] = process.argv.slice(2);
if (!folder || !existsSync(join(folder, 'main.js'))) {
  console.error('bake: give the folder with the main.js of an image');
  process.exit(1);
}
const cache = join(folder, '.compile-cache');
const { status, stderr, error } = spawnSync(process.execPath, [...flags, join(folder, 'main.js')], {
  env: { PORT: 'none', NODE_COMPILE_CACHE: cache },
  encoding: 'utf8',
  timeout: 60_000,
});
// 78: settings are missing. 1: the command line, which shows its help.
if (error || (status !== 78 && status !== 1)) {
  console.error(
    `bake: ${folder}/main.js should end because it has no settings, and it did not (exit code ${status}): ${error ?? stderr}`,
  );
  process.exit(1);
}

// Written for their owner alone; the owner of the files in the image is another.
let files = 0;
for (const entry of readdirSync(cache, { recursive: true })) {
  const path = join(cache, entry);
  const isFolder = statSync(path).isDirectory();
  chmodSync(path, isFolder ? 0o755 : 0o444);
  if (!isFolder) files += 1;
}
if (files < 50) {
  console.error(`bake: only ${files} files were compiled: it ended before it was loaded\n${stderr}`);
  process.exit(1);
}
console.log(`bake: ${files} files compiled`);
