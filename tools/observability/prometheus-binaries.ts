import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const howTo = `Prometheus is needed for this, with promtool. Any of these will do:
  - a folder with both programs, named in PROMETHEUS_HOME (releases are on prometheus.io)
  - both on the PATH: apt-get install prometheus, brew install prometheus
  - Debian or Ubuntu with apt-get: then the package is fetched into a cache, and nothing is installed`;

type Program = 'prometheus' | 'promtool';

/** Where a program is: in PROMETHEUS_HOME, on the PATH, or in our cache. @throws with what to do when it cannot be had. */
export function findPrometheus(program: Program, environment = process.env): string {
  const home = environment.PROMETHEUS_HOME;
  if (home) {
    const file = join(home, program);
    if (existsSync(file)) return file;
    throw new Error(`PROMETHEUS_HOME is ${home}, and there is no ${program} in it`);
  }
  const onPath = (environment.PATH ?? '').split(':').map((folder) => join(folder, program));
  return onPath.find((file) => existsSync(file)) ?? fetched(program, environment);
}

function fetched(program: Program, environment: NodeJS.ProcessEnv): string {
  const cache = join(environment.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'tributary/prometheus');
  const file = join(cache, 'usr/bin', program);
  if (!existsSync(file)) fetchPackage(cache);
  if (!existsSync(file)) throw new Error(howTo);
  return file;
}

/** Only unpacked: the package would start a service if it were installed. */
function fetchPackage(folder: string): void {
  mkdirSync(folder, { recursive: true });
  // As root, apt says that it could not fetch as somebody else; that is no failure.
  run('apt-get', ['download', 'prometheus'], folder);
  const archive = readdirSync(folder).find((name) => name.endsWith('.deb'));
  if (!archive) throw new Error(howTo);
  run('dpkg-deb', ['-x', archive, '.'], folder);
  rmSync(join(folder, archive));
}

function run(command: string, args: readonly string[], cwd: string): void {
  const { status, error, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 120_000 });
  if (error || status !== 0) throw new Error(`${howTo}\n\n${command} ${args.join(' ')}: ${error?.message ?? stderr}`);
}
