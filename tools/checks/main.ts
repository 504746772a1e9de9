import { registry, topicsOf } from '@tributary/registry';
import { findEnvironmentReads } from './environment.js';
import { findRefusedLicences, productionPackages } from './licences.js';
import { findMisplacedTests, listAssignments } from './test-files.js';
import { findSpeltTopics } from './topic-names.js';
import { listFiles, readSources } from './workspace-files.js';

/** The rules that are not about imports. Prints one line per problem and fails when there is one. */
const root = process.cwd();
const sources = readSources(root);
const problems = [
  ...findSpeltTopics(sources, topicsOf(registry)),
  ...findEnvironmentReads(sources),
  ...findMisplacedTests(listFiles(root), await listAssignments(root)),
  ...findRefusedLicences(productionPackages(root)),
];
for (const { where, what } of problems) console.error(`${where}: ${what}`);
console.log(`checks: ${sources.length} source files, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
