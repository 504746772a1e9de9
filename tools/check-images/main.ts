import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readChartFacts } from '../deployment/chart-facts.js';
import { goTools } from '../go-tools/go-tools.js';
import {
  type ComposeRun,
  composeConfig,
  type Expectation,
  findComposeProblems,
  resolveProject,
} from './compose-config.js';
import { buildkitLinter, hadolintLinter, type Linter, lintTargets } from './dockerfile-linters.js';
import { findHadolint } from './hadolint.js';
import { buildkitMistakes, composeMistakes, hadolintMistakes, type Mistake, withMistake } from './mistakes.js';

const programs = {
  // 5.6.0, because 5.7.0 wants Go 1.26.10. Its go.mod excludes versions, which `go install <package>@<version>` does not take.
  compose: './tools/check-images/compose',
  'dockerfile-lint': './tools/check-images/dockerfile-lint',
} as const;

const dashboardsAndTraces = ['prometheus', 'grafana', 'collector'];
const say = (line: string) => console.log(`check:images: ${line}`);

/** Holds the compose file and the Dockerfile against Docker's own programs, which need no engine for it. */
async function main(): Promise<number> {
  const root = process.cwd();
  const tools = await goTools(programs, { root, env: process.env, say });
  const hadolint = findHadolint(process.env, say);
  const problems = [
    ...(await checkCompose({ compose: tools.compose, root })),
    ...(await checkDockerfile(root, tools['dockerfile-lint'], hadolint)),
  ];
  for (const problem of problems) say(problem);
  say(`${problems.length} problems`);
  return problems.length > 0 ? 1 : 0;
}

async function checkCompose(options: ComposeRun): Promise<string[]> {
  const expectation = await expectedServices(options.root);
  const problems: string[] = [];
  const [core, every] = [without(expectation, dashboardsAndTraces), expectation];
  for (const [profiles, expected] of [
    [[], core],
    [['observability'], every],
    [['*'], every],
  ] as const) {
    const chosen = profiles.length > 0 ? `profile ${profiles.join()}` : 'no profile';
    await composeConfig({ ...options, profiles }, ['--quiet']);
    const project = await resolveProject({ ...options, profiles });
    const found = findComposeProblems(project, expected);
    problems.push(...found.map((problem) => `compose with ${chosen}: ${problem}`));
    say(`compose with ${chosen}: ${Object.keys(project.services).length} services, ${found.length} problems`);
  }
  problems.push(...(await ignoredVariables(options)));
  const text = readFileSync(join(options.root, 'docker-compose.yml'), 'utf8');
  problems.push(
    ...(await missed('docker compose', {
      text,
      mistakes: composeMistakes,
      saidOf: (wrong) => refusal({ ...options, text: wrong }),
    })),
  );
  return problems;
}

/** What each service must be given comes from the code; the rest of the file is what the services stand on. */
async function expectedServices(root: string): Promise<Expectation> {
  const { services } = await readChartFacts({ root, built: join(root, 'dist') });
  const ours = Object.entries(services).map(
    ([name, { settings }]) =>
      [name, { variables: settings.flatMap(({ required, variable }) => (required ? [variable] : [])) }] as const,
  );
  const beside = ['postgres', 'kafka', 'registry', 'setup', 'sandbox', ...dashboardsAndTraces];
  return {
    services: Object.fromEntries([...ours, ...beside.map((name) => [name, { variables: [] }] as const)]),
    doesExist: existsSync,
  };
}

const without = ({ services, ...rest }: Expectation, names: readonly string[]): Expectation => ({
  ...rest,
  services: Object.fromEntries(Object.entries(services).filter(([name]) => !names.includes(name))),
});

/** Ports that the head of the file promises can be chosen. */
async function ignoredVariables(options: ComposeRun): Promise<string[]> {
  const head = readFileSync(join(options.root, 'docker-compose.yml'), 'utf8').split('\nname:', 1)[0] ?? '';
  const promised = [...new Set(head.match(/\b[A-Z]+_PORT\b/g))];
  if (promised.length === 0) return ['the head of docker-compose.yml names no port that can be chosen'];
  const variables = Object.fromEntries(promised.map((name, index) => [name, String(20_000 + index)]));
  const { services } = await resolveProject({ ...options, profiles: ['*'], variables });
  const published = new Set(Object.values(services).flatMap(({ ports = [] }) => ports.map((port) => port.published)));
  return promised.flatMap((name) =>
    published.has(variables[name]) ? [] : [`${name} changes no port of the compose file`],
  );
}

const refusal = (options: ComposeRun): Promise<string> =>
  composeConfig({ ...options, profiles: ['*'] }, ['--quiet']).then(
    () => 'nothing',
    (error: Error) => error.message,
  );

async function checkDockerfile(root: string, lint: string, hadolint: string): Promise<string[]> {
  const text = readFileSync(join(root, 'Dockerfile'), 'utf8');
  const targets = await lintTargets(lint, text);
  say(
    `Dockerfile: BuildKit's checks over the targets ${targets.map(({ target }) => target || 'all of them').join(', ')}; hadolint`,
  );
  const linters = [
    { name: 'BuildKit', linter: buildkitLinter(lint), mistakes: buildkitMistakes },
    { name: 'hadolint', linter: hadolintLinter(hadolint), mistakes: hadolintMistakes },
  ];
  const problems: string[] = [];
  for (const { name, linter, mistakes } of linters) {
    problems.push(...(await complaints(linter, text)).map((one) => `Dockerfile, ${name}: ${one}`));
    problems.push(
      ...(await missed(name, {
        text,
        mistakes,
        saidOf: async (wrong) => (await complaints(linter, wrong)).join('\n'),
      })),
    );
  }
  return problems;
}

const complaints = async (linter: Linter, text: string): Promise<string[]> => [
  ...new Set((await linter(text)).map(({ rule, line, detail }) => `${rule}: ${detail} (line ${line})`)),
];

interface Trial {
  readonly text: string;
  readonly mistakes: readonly Mistake[];
  readonly saidOf: (wrong: string) => Promise<string>;
}

/** A tool that finds nothing in these would find nothing in ours. */
async function missed(tool: string, { text, mistakes, saidOf }: Trial): Promise<string[]> {
  const problems: string[] = [];
  for (const mistake of mistakes) {
    const said = await saidOf(withMistake(text, mistake));
    if (!mistake.said.test(said))
      problems.push(`${tool} should refuse ${mistake.name}, and says: ${said || 'nothing'}`);
  }
  say(`${tool} finds ${mistakes.length - problems.length} of ${mistakes.length} mistakes that were made on purpose`);
  return problems;
}

try {
  process.exitCode = await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
