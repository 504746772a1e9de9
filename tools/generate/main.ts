import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chartFiles } from '../deployment/chart-files.js';
import { renderDocs } from './docs.js';
import { bringUpToDate } from './generated-file.js';
import { generateSources } from './sources.js';

/** Writes every derived file; with `--check` writes nothing and fails when one is stale. */
async function main(args: string[]): Promise<number> {
  const { check = false } = parseArgs({ args, options: { check: { type: 'boolean' } } }).values;
  const root = process.cwd();
  const options = { check, root };
  const places = { root, built: join(root, 'dist') };
  const docs = [...(await renderDocs(places)), ...(await chartFiles(places))];
  const stale = [...(await generateSources(options)), ...bringUpToDate(docs, options)];
  for (const file of stale) console.log(check ? `stale: ${file}` : `generate: wrote ${file}`);
  if (check && stale.length > 0) console.log('run `npm run generate` and commit what it writes');
  return check && stale.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`generate: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
