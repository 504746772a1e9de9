import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Files below these folders that contain the text. */
export async function filesHolding(text: string, folders: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || /\.(index|timeindex|snapshot)$/.test(entry.name)) continue;
      const path = join(entry.parentPath, entry.name);
      if ((await readFile(path)).includes(text)) found.push(path);
    }
  }
  return found;
}
