import { topicFamilies, topics } from '@tributary/contracts';
import { describe, expect, it } from 'vitest';
import { findEnvironmentReads } from './environment.js';
import { findMisplacedTests } from './test-files.js';
import { findSpeltTopics } from './topic-names.js';
import type { WorkspaceFile } from './workspace-files.js';

const aFile = (text: string, path = 'apps/router/src/x.ts'): WorkspaceFile => ({ path, text });

describe('topic names', () => {
  const catalogue = [topicFamilies.raw('acme'), topicFamilies.delivery('acme'), topics.audit, topics.connections];
  const find = (file: WorkspaceFile) => findSpeltTopics([file], catalogue);

  it.each([
    ["const topic = 'raw.gusto.v1';", 'raw.gusto.v1'],
    ['const topic = `raw.gusto.v1`;', 'raw.gusto.v1'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source text that is examined
    ['const topic = `delivery.${slug}.v1`;', 'delivery.*.v1'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source text that is examined
    ['const topic = `delivery.${slug}.v${version}`;', 'delivery.*.v*'],
    ['send({ topic: "delivery.slack.v1.retry" });', 'delivery.slack.v1.retry'],
    ["@Consumes('control.connections.v1')\nclass X {}", 'control.connections.v1'],
    ["type Topic = 'audit.records.v1';", 'audit.records.v1'],
  ])('are found where they are spelt: %s', (text, name) => {
    const [problem, ...others] = find(aFile(text));
    expect(problem).toMatchObject({ where: 'apps/router/src/x.ts:1' });
    expect(problem!.what).toContain(`the topic name "${name}" is spelt here`);
    expect(others).toEqual([]);
  });

  it.each([
    ['in a comment', '// into raw.publish.v1\nconst a = 1;'],
    ['inside a sentence', "throw new Error('raw.gusto.v1 does not exist');"],
    ['as an event type', "const type = 'people.employee.onboarded';"],
    ['as a log line', "logger.info({}, 'delivery.attempted');"],
    ['as a path', "const path = 'raw.d/schema.v1';"],
  ])('are not seen %s', (_, text) => {
    expect(find(aFile(text))).toEqual([]);
  });

  it('may be spelt in the catalogue and in specs', () => {
    const text = "export const name = 'raw.gusto.v1';";
    expect(find(aFile(text, 'libs/contracts/src/catalogue.ts'))).toEqual([]);
    expect(find(aFile(text, 'libs/kafka/src/x.int-spec.ts'))).toEqual([]);
    expect(find(aFile(text, 'libs/contracts/src/topic.ts'))).toHaveLength(1);
  });
});

describe('reads of the environment', () => {
  it.each([
    ['const port = process.env.PORT;'],
    ["const port = process['env'].PORT;"],
    ['const port = process?.env?.PORT;'],
    ['const { env } = process;'],
    ['const { env: surroundings } = process;'],
    ['const all = globalThis.process.env;'],
    ["import { env } from 'node:process';"],
    ["import { env as e } from 'process';"],
  ])('are found: %s', (text) => {
    expect(findEnvironmentReads([aFile(`\n${text}`)])).toMatchObject([{ where: 'apps/router/src/x.ts:2' }]);
  });

  it.each([
    ['// process.env is for libs/config'],
    ["const help = 'set process.env.PORT';"],
    ['const env = options.env;'],
    ['process.exitCode = 1;'],
    ["import { stdout } from 'node:process';"],
  ])('are not seen in %s', (text) => {
    expect(findEnvironmentReads([aFile(text)])).toEqual([]);
  });

  it.each(['libs/config/src/settings.ts', 'tools/cli/main.ts', 'apps/router/src/x.spec.ts', 'vitest.config.ts'])(
    'are lawful in %s',
    (path) => {
      expect(findEnvironmentReads([aFile('process.env.PORT;', path)])).toEqual([]);
    },
  );

  it.each(['libs/kafka/src/x.ts', 'libs/configuration/src/x.ts', 'apps/router/src/spec.ts'])(
    'are found in %s',
    (path) => {
      expect(findEnvironmentReads([aFile('process.env.PORT;', path)])).toHaveLength(1);
    },
  );
});

describe('test files', () => {
  const unit = (path: string) => ({ path, project: 'unit' });

  it('are content in exactly one project', () => {
    expect(findMisplacedTests(['libs/a.spec.ts', 'libs/a.ts'], [unit('libs/a.spec.ts')])).toEqual([]);
  });

  it.each([
    'libs/a.spec.ts',
    'libs/a.test.ts',
    'libs/a.int-spec.mts',
    'k8s/chart.spec.ts',
    'apps/x/y.e2e-spec.js',
    'apps/x/y.spec.tsx',
  ])('are reported when nothing runs them: %s', (path) => {
    expect(findMisplacedTests([path], [unit('libs/other.spec.ts')])).toMatchObject([
      { where: path, what: expect.stringContaining('no project of vitest.config.ts runs this test file') },
    ]);
  });

  it('are reported when two projects run them', () => {
    const twice = [unit('libs/a.spec.ts'), { path: 'libs/a.spec.ts', project: 'e2e' }];
    expect(findMisplacedTests(['libs/a.spec.ts'], twice)).toMatchObject([
      { where: 'libs/a.spec.ts', what: expect.stringContaining('unit and e2e of vitest.config.ts all run') },
    ]);
  });
});
