import { generateSources } from './sources.js';

for (const file of await generateSources({ check: false, root: process.cwd() })) console.log(`generate: wrote ${file}`);
