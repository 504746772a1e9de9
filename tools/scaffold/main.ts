import { type Kind, kinds, ScaffoldRefused, scaffold } from './scaffold.js';

const [kind = '', vendor = ''] = process.argv.slice(2);

const isKind = (word: string): word is Kind => Object.hasOwn(kinds, word);

async function main(): Promise<void> {
  if (!isKind(kind))
    throw new ScaffoldRefused('usage: npm run new:source -- <vendor>, or npm run new:destination -- <vendor>');
  const files = await scaffold({ kind, vendor, root: process.cwd() });
  console.log(files.map((file) => `wrote ${file}`).join('\n'));
  console.log(`next: npx vitest run --project unit libs/${kind}s/${vendor}, then make it ${vendor}'s own`);
}

await main().catch((error: Error) => {
  if (!(error instanceof ScaffoldRefused)) throw error;
  console.error(error.message);
  process.exit(2);
});
