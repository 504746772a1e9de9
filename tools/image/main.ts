import { resolve } from 'node:path';
import { imagesOf, writeTree } from './tree.js';

/** `node dist/tools/image/main.js <image> <folder>` writes the tree of an image; without arguments it lists the images. */
function main([image, folder]: readonly string[]): void {
  const root = process.cwd();
  if (image === undefined || folder === undefined) {
    for (const one of imagesOf(root)) console.log(one);
    return;
  }
  writeTree({ root, image, target: resolve(folder) });
}

try {
  main(process.argv.slice(2));
} catch (error) {
  console.error(`image: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
