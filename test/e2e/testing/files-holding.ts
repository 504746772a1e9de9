import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Which of the named texts can be read in which files below these folders: `<name> in <path>`. */
export async function filesHolding(
  texts: Readonly<Record<string, string>>,
  folders: readonly string[],
): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || /\.(index|timeindex|snapshot)$/.test(entry.name)) continue;
      const path = join(entry.parentPath, entry.name);
      const bytes = await readFile(path);
      for (const [name, text] of Object.entries(texts)) if (bytes.includes(text)) found.push(`${name} in ${path}`);
    }
  }
  return found;
}
