import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface LintProblem {
  /** As the linter names it: `UndefinedVar`, `DL3006`. */
  readonly rule: string;
  readonly line: number;
  readonly detail: string;
}

/** What a linter says about the text of a Dockerfile. */
export type Linter = (text: string) => Promise<readonly LintProblem[]>;

interface TargetVerdict {
  readonly target: string;
  readonly problems: readonly LintProblem[];
}

/** BuildKit's own checks over every target, as `docker build --check` runs them. */
export const lintTargets = async (program: string, text: string): Promise<readonly TargetVerdict[]> =>
  JSON.parse((await given(program, ['-build-arg', 'APP=cli'], text)).stdout) as TargetVerdict[];

export const buildkitLinter =
  (program: string): Linter =>
  async (text) =>
    (await lintTargets(program, text)).flatMap(({ problems }) => problems);

/** With every rule, those of style too. It exits with 1 when it finds something, and says what all the same. */
export const hadolintLinter =
  (program: string): Linter =>
  async (text) => {
    const { stdout, stderr } = await given(program, ['--no-color', '--format', 'json', '-'], text).catch(
      (error: { stdout?: string; stderr?: string }) => ({ stdout: error.stdout ?? '', stderr: error.stderr ?? '' }),
    );
    if (!stdout.trim()) throw new Error(`hadolint says nothing: ${stderr}`);
    const found = JSON.parse(stdout) as ReadonlyArray<{ code: string; line: number; message: string }>;
    return found.map(({ code, line, message }) => ({ rule: code, line, detail: message }));
  };

function given(program: string, args: readonly string[], text: string) {
  const running = run(program, args);
  running.child.stdin?.end(text);
  return running;
}
