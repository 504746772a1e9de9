// count.mjs <vitest's JSON report> <exit code of the run>: prints "<passed> <failed>".
// A run that failed never counts as none failed, whatever the report says or fails to say.
import { readFileSync } from 'node:fs';

const [file, exitCode] = process.argv.slice(2);

function read() {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    console.error(`no report of the tests: ${error.message}`);
    return { numPassedTests: 0, numFailedTests: 0, testResults: [] };
  }
}

const report = read();
// A file that cannot be loaded, or whose set-up fails, has failed without a test that did.
const brokenFiles = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
).length;
const failed = report.numFailedTests + brokenFiles;
const isUnexplained = failed === 0 && (exitCode !== '0' || report.numPassedTests === 0);
console.log(report.numPassedTests, isUnexplained ? 1 : failed);
