import { mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportSink } from '@tributary/ledger';

/** A folder that an export can go into. @throws Error when it holds something: an export is never mixed with another. */
export async function exportFolderSink(folder: string): Promise<ExportSink> {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) throw new Error(`${folder} is not empty: name a new folder with --out`);
  return {
    open: async (name) => {
      // The ledger is nobody's business but the exporter's until they say otherwise.
      const file = await open(join(folder, name), 'wx', 0o600);
      return {
        write: async (bytes) => void (await file.writeFile(bytes)),
        close: async () => {
          await file.sync();
          await file.close();
        },
      };
    },
  };
}
