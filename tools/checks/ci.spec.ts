import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

const repository = join(import.meta.dirname, '../..');

interface World {
  /** npm's exit code by its arguments, for example `run --silent lint`; the others succeed. */
  readonly exitCodes?: Readonly<Record<string, number>>;
  /** What the test run leaves behind; undefined for nothing. */
  readonly report?: object | undefined;
}

const aReport = (passed: number, failed: number, testResults: readonly object[] = []) => ({
  numPassedTests: passed,
  numFailedTests: failed,
  testResults,
});

/** Runs `.ci/run` in a copy of its own, with an npm that does as it is told. */
async function run({ exitCodes = {}, report = aReport(7, 0) }: World): Promise<{ code: number; lines: string[] }> {
  const root = mkdtempSync(join(tmpdir(), 'tributary-ci-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  cpSync(join(repository, '.ci'), join(root, '.ci'), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{ "scripts": { "check": "npm run lint && npm run check:rules" } }');
  writeFileSync(join(root, 'report.json'), JSON.stringify(report));
  const cases = Object.entries(exitCodes).map(([args, code]) => `  '${args}'*) code=${code} ;;`);
  const npm = `#!/usr/bin/env bash
echo "npm $*"
code=0
case "$*" in
${cases.join('\n')}
  none) ;;
esac
for arg in "$@"; do
  case "$arg" in --outputFile.json=*) [ "\${code}" = 99 ] || cat report.json > "\${arg#*=}" ;; esac
done
exit "$code"
`;
  mkdirSync(join(root, 'bin'));
  writeFileSync(join(root, 'bin/npm'), npm, { mode: 0o755 });
  const path = [join(root, 'bin'), dirname(process.execPath), process.env.PATH].join(delimiter);
  const child = spawn(join(root, '.ci/run'), { env: { ...process.env, PATH: path }, stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
  });
  const code = await new Promise<number>((resolve) => child.once('close', (value) => resolve(value ?? -1)));
  return { code, lines: output.trimEnd().split('\n') };
}

describe('.ci/run', () => {
  it('installs, checks, tests, demonstrates and sums up', async () => {
    const { code, lines } = await run({});
    expect(lines.at(-1)).toBe('10 passed, 0 failed'); // 7 tests, 2 checks, the demo
    expect(code).toBe(0);
    expect(lines.filter((line) => line.startsWith('npm ')).map((line) => line.split(' --')[0])).toEqual([
      'npm install',
      'npm run',
      'npm run',
      'npm test',
      'npm run',
    ]);
  });

  it.each([
    ['a check', { exitCodes: { 'run --silent lint': 1 } }, '9 passed, 1 failed'],
    ['two checks', { exitCodes: { 'run --silent lint': 1, 'run --silent check:rules': 2 } }, '8 passed, 2 failed'],
    ['the demo', { exitCodes: { 'run --silent demo': 1 } }, '9 passed, 1 failed'],
    ['tests', { exitCodes: { test: 1 }, report: aReport(5, 2) }, '8 passed, 2 failed'],
    [
      'a test file that cannot be loaded',
      { exitCodes: { test: 1 }, report: aReport(5, 0, [{ status: 'failed', assertionResults: [] }]) },
      '8 passed, 1 failed',
    ],
    [
      'a file with one failed test, which counts once',
      {
        exitCodes: { test: 1 },
        report: aReport(5, 1, [{ status: 'failed', assertionResults: [{ status: 'failed' }] }]),
      },
      '8 passed, 1 failed',
    ],
    ['a test run that says nothing about why', { exitCodes: { test: 1 } }, '10 passed, 1 failed'],
    ['a test run that leaves no report', { exitCodes: { test: 99 } }, '3 passed, 1 failed'],
    ['a test run that found no tests', { report: aReport(0, 0) }, '3 passed, 1 failed'],
    ['the installation, after which nothing can run', { exitCodes: { install: 1 } }, '0 passed, 1 failed'],
  ])('fails for %s', async (_, world, summary) => {
    const { code, lines } = await run(world);
    expect(lines.at(-1)).toBe(summary);
    expect(lines.filter((line) => /^\d+ passed, \d+ failed$/.test(line))).toHaveLength(1);
    expect(code).toBe(1);
  });
});
