import { execFile } from 'node:child_process';
import { join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { isTestFile, type Problem } from './workspace-files.js';

/** One file that the test runner would run, in one of its projects. */
export interface Assignment {
  readonly path: string;
  readonly project: string;
}

/** Test files that nothing runs, or that run twice. A misnamed file is otherwise green for ever. */
export function findMisplacedTests(paths: readonly string[], assignments: readonly Assignment[]): Problem[] {
  return paths.filter(isTestFile).flatMap((path) => {
    const projects = assignments.filter((one) => one.path === path).map(({ project }) => project);
    if (projects.length === 1) return [];
    const what =
      projects.length === 0
        ? 'no project of vitest.config.ts runs this test file; name it *.spec.ts, *.int-spec.ts or *.e2e-spec.ts under apps, libs, tools, test or bench'
        : `${projects.join(' and ')} of vitest.config.ts all run this test file; one is enough`;
    return [{ where: path, what }];
  });
}

/** What the test runner itself says it would run. */
export async function listAssignments(root: string): Promise<Assignment[]> {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [vitest, 'list', '--filesOnly', '--json'], {
    cwd: root,
    maxBuffer: 16 * 1024 * 1024,
  });
  const listed = JSON.parse(stdout.slice(stdout.indexOf('['))) as { file: string; projectName: string }[];
  return listed.map(({ file, projectName }) => ({
    path: relative(root, file).split(sep).join('/'),
    project: projectName,
  }));
}
