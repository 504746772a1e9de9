import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface ResolvedService {
  readonly build?: { readonly args?: Readonly<Record<string, string>> };
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly timeout?: string };
  readonly ports?: ReadonlyArray<{ readonly host_ip?: string; readonly published?: string; readonly target: number }>;
  readonly volumes?: ReadonlyArray<{ readonly type: string; readonly source?: string }>;
  readonly restart?: string;
}

/** What Compose itself makes of the file: variables filled in, anchors and merges resolved, profiles chosen. */
export interface ResolvedProject {
  readonly services: Readonly<Record<string, ResolvedService>>;
}

export interface ComposeRun {
  readonly compose: string;
  readonly root: string;
  readonly profiles?: readonly string[];
  /** Variables of the shell; nothing else of ours is given. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Instead of the file of the repository. */
  readonly text?: string;
}

/** @throws Error with what Compose says, also where it only warns: a variable that is not set is an empty one. */
export async function composeConfig(options: ComposeRun, args: readonly string[]): Promise<string> {
  const { compose, root, profiles = [], variables = {}, text } = options;
  const chosen = profiles.flatMap((profile) => ['--profile', profile]);
  const file = ['--project-directory', root, '--file', text === undefined ? 'docker-compose.yml' : '-'];
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...variables };
  const running = run(compose, [...file, ...chosen, 'config', ...args], {
    cwd: root,
    env,
    maxBuffer: 16 * 1024 * 1024,
  });
  running.child.stdin?.end(text);
  const { stdout, stderr } = await running.catch((error: Error & { stderr?: string }) => {
    throw new Error(error.stderr?.trim() || error.message);
  });
  if (stderr.trim()) throw new Error(stderr.trim());
  return stdout;
}

export async function resolveProject(options: ComposeRun): Promise<ResolvedProject> {
  return JSON.parse(await composeConfig(options, ['--format', 'json'])) as ResolvedProject;
}

/** What must be in a project. */
export interface ExpectedService {
  /** Variables without which it does not start. */
  readonly variables: readonly string[];
}

export interface Expectation {
  readonly services: Readonly<Record<string, ExpectedService>>;
  readonly doesExist: (path: string) => boolean;
}

/** One sentence for each thing in a resolved project that would not start, or would not be found out to be ill. */
export function findComposeProblems(
  { services }: ResolvedProject,
  { services: expected, doesExist }: Expectation,
): string[] {
  const names = Object.keys(services);
  return [
    ...Object.keys(expected).flatMap((name) => (services[name] ? [] : [`${name} is not in the project`])),
    ...names.flatMap((name) => (expected[name] ? [] : [`${name} is in the project, and should not be`])),
    ...Object.entries(services).flatMap(([name, service]) =>
      [
        ...variableProblems(service, expected[name]),
        ...dependencyProblems(service, services),
        ...healthProblems(service),
        ...placeProblems(service, doesExist),
      ].map((problem) => `${name} ${problem}`),
    ),
  ];
}

const variableProblems = ({ environment = {} }: ResolvedService, expected?: ExpectedService): string[] =>
  (expected?.variables ?? []).filter((name) => !environment[name]).map((name) => `is not given ${name}`);

function dependencyProblems({ depends_on = {} }: ResolvedService, services: ResolvedProject['services']): string[] {
  return Object.entries(depends_on).flatMap(([name, { condition }]) => {
    const other = services[name];
    if (!other) return [`waits for ${name}, which is not in the project`];
    if (condition === 'service_healthy' && !other.healthcheck?.test)
      return [`waits for the health of ${name}, which has no check`];
    if (condition === 'service_completed_successfully' && other.restart !== 'no')
      return [`waits for the end of ${name}, which is started again`];
    return [];
  });
}

/** Of what we build ourselves; others have a check where their image brings a program for one. */
function healthProblems({ build, healthcheck, restart }: ResolvedService): string[] {
  if (!build || restart === 'no') return [];
  if (!healthcheck?.test) return ['has no health check'];
  return healthcheck.timeout ? [] : ['has a health check without a timeout'];
}

function placeProblems({ ports = [], volumes = [] }: ResolvedService, doesExist: (path: string) => boolean): string[] {
  return [
    ...ports.filter(({ host_ip }) => host_ip !== '127.0.0.1').map(({ target }) => `opens ${target} to the network`),
    ...volumes
      .filter(({ type, source = '' }) => type === 'bind' && !doesExist(source))
      .map(({ source }) => `mounts ${source}, which is not there`),
  ];
}
