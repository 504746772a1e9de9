import { join } from 'node:path';
import { readSchemas, renderRecords } from './contracts.js';
import { bringUpToDate, type WriteOptions } from './generated-file.js';
import { generateRegistry } from './registry.js';

/**
 * The generated TypeScript. It is part of what is compiled, so nothing here may import from the libraries: `npm run
 * generate` runs it before the build, which would otherwise fail on the list of a folder that is gone.
 * @returns the files that were not up to date.
 */
export async function generateSources(options: WriteOptions): Promise<string[]> {
  const text = renderRecords(readSchemas(join(options.root, 'libs/contracts/schemas')));
  const records = { path: 'libs/contracts/src/generated/records.ts', text };
  return [...bringUpToDate([records], options), ...(await generateRegistry(options))];
}
