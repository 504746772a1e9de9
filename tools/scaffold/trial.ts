import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const exec = promisify(execFile);
const room = { maxBuffer: 64 * 1024 * 1024 };

export const newDestination = 'trial-crm';
export const newSource = 'trial-desk';

/** A copy of the workspace in which somebody has added a destination and a source, as CONTRIBUTING says. */
export class ScaffoldTrial {
  private constructor(readonly root: string) {}

  /** @throws Error with what the command says that failed: the type checker among them. */
  static async make(workspace: string): Promise<ScaffoldTrial> {
    const trial = new ScaffoldTrial(mkdtempSync(join(tmpdir(), 'tributary-scaffold-')));
    try {
      await trial.copy(workspace);
      await trial.add();
      return trial;
    } catch (error) {
      trial.remove();
      throw error;
    }
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** Paths that are new, and those that are not what they were. */
  async changes(): Promise<{ readonly added: string[]; readonly changed: string[] }> {
    const { stdout } = await this.git('status', '--porcelain', '--untracked-files=all', '-z');
    const lines = stdout.split('\0').filter(Boolean);
    const paths = (mark: RegExp) => lines.filter((line) => mark.test(line)).map((line) => line.slice(3));
    return { added: paths(/^\?\?/), changed: paths(/^(?!\?\?)/) };
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  async before(path: string): Promise<string> {
    return (await this.git('show', `HEAD:${path}`)).stdout;
  }

  /** What has been changed and not yet committed is part of it; what git ignores is not. */
  private async copy(workspace: string): Promise<void> {
    const list = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
    const { stdout } = await exec('git', list, { cwd: workspace, ...room });
    for (const path of stdout.split('\0')) {
      if (path === '' || path === 'node_modules' || !existsSync(join(workspace, path))) continue;
      mkdirSync(dirname(join(this.root, path)), { recursive: true });
      copyFileSync(join(workspace, path), join(this.root, path));
    }
    await this.git('init', '--quiet');
    await this.git('add', '--all');
    await this.git('-c', 'user.name=trial', '-c', 'user.email=trial@example.com', 'commit', '--quiet', '-m', 'before');
    symlinkSync(join(workspace, 'node_modules'), join(this.root, 'node_modules'));
    // A link is no folder, so `node_modules/` does not cover it.
    await this.git('config', 'core.excludesFile', join(this.root, '.git/info/more'));
    await exec('sh', ['-c', 'echo node_modules > .git/info/more'], { cwd: this.root });
  }

  /** The steps of `npm run new:...` and of `npm run generate`, the build with its type check in between. */
  private async add(): Promise<void> {
    const fromSource = ['--import', './tools/local-stack/testing/run-from-source.mjs'];
    await this.node(...fromSource, 'tools/scaffold/main.ts', 'destination', newDestination);
    await this.node(...fromSource, 'tools/scaffold/main.ts', 'source', newSource);
    await this.node(...fromSource, 'tools/generate/before-build.ts');
    await this.node('tools/build/build.mjs', '--force');
    await this.node('dist/tools/generate/main.js');
  }

  async node(...args: readonly string[]): Promise<void> {
    await exec(process.execPath, args, { cwd: this.root, ...room }).catch(
      (error: Error & { stdout?: string; stderr?: string }) => {
        throw new Error(`${args.join(' ')}: ${error.message}\n${error.stdout}\n${error.stderr}`);
      },
    );
  }

  private git(...args: readonly string[]) {
    return exec('git', args, { cwd: this.root, ...room });
  }
}

/** Parts of a file that people write: what is between `generated:` markers is taken out. */
export const handWritten = (text: string): string =>
  text.replace(/(generated:([\w-]+)\b[^\n]*\n)[\s\S]*?(\n[^\n]*\/generated:\2)/g, '$1$3');
