import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';

const repository = join(import.meta.dirname, '../..');
const config = join(repository, '.dependency-cruiser.mjs');
const cruiser = join(repository, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');

/** What has to be there for the lawful imports of the trees below. */
const skeleton = {
  'package.json': JSON.stringify({
    type: 'module',
    dependencies: { kafkajs: '1', pg: '1', '@nestjs/common': '1' },
    devDependencies: { vitest: '1', autocannon: '1' },
  }),
  ...Object.fromEntries(
    ['kafkajs', 'pg', '@nestjs/common', 'vitest', 'autocannon', 'stowaway'].flatMap((name) => [
      [`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' })],
      [`node_modules/${name}/index.js`, 'module.exports = {};'],
    ]),
  ),
  'libs/contracts/src/index.ts': "export * from './topic.js';\n",
  'libs/contracts/src/topic.ts': 'export interface Topic {}\nexport const topic = 1;\n',
  'libs/domain/src/index.ts': "import type { Topic } from '@tributary/contracts';\nexport type Rule = Topic;\n",
  'libs/connector-kit/src/index.ts': "export type { Rule } from '@tributary/domain';\nexport const kit = 1;\n",
  'libs/connector-kit/src/contract/suite.ts': "import 'vitest';\nexport const suite = 1;\n",
  'libs/sources/gusto/index.ts': "export { kit } from '@tributary/connector-kit';\n",
  'libs/sources/gusto/gusto.spec.ts': "import 'vitest';\nimport '../../connector-kit/src/contract/suite.js';\n",
  'libs/destinations/slack/index.ts': "export { kit } from '@tributary/connector-kit';\n",
  'libs/registry/src/index.ts': "export * from '@tributary/sources/gusto';\nimport '@tributary/destinations/slack';\n",
  'libs/kafka/src/index.ts': "import 'kafkajs';\nexport const kafka = 1;\n",
  'libs/persistence/src/index.ts': "import 'pg';\nexport const database = 1;\n",
  'libs/testing/src/index.ts': "import 'vitest';\nimport 'kafkajs';\nexport const testing = 1;\n",
  'apps/router/src/main.ts': "import '@tributary/registry';\nimport '@nestjs/common';\nimport './settings.js';\n",
  'apps/router/src/settings.ts': 'export const routerSettings = {};\n',
  'tools/cli/main.ts': "import '@tributary/registry';\nexport const cli = 1;\n",
};

/** One lawless file for each rule, and the import that breaks it. */
const crimes: readonly (readonly [rule: string, file: string, text: string, to: string])[] = [
  ['contracts-know-nobody', 'libs/contracts/src/x.ts', "import '@tributary/domain';", 'libs/domain/src/index.ts'],
  [
    'domain-knows-contracts',
    'libs/domain/src/x.ts',
    "import '@tributary/persistence';",
    'libs/persistence/src/index.ts',
  ],
  [
    'domain-knows-contracts',
    'libs/domain/src/y.ts',
    "import type { kit } from '@tributary/connector-kit';\nexport type K = typeof kit;",
    'libs/connector-kit/src/index.ts',
  ],
  [
    'domain-knows-types-only',
    'libs/domain/src/z.ts',
    "import { topic } from '@tributary/contracts';\nexport const t = topic;",
    'libs/contracts/src/index.ts',
  ],
  [
    'connector-kit-knows-domain',
    'libs/connector-kit/src/x.ts',
    "import '@tributary/registry';",
    'libs/registry/src/index.ts',
  ],
  ['connectors-know-the-kit', 'libs/sources/gusto/x.ts', "import '@tributary/registry';", 'libs/registry/src/index.ts'],
  [
    'connectors-are-strangers',
    'libs/destinations/slack/x.ts',
    "import '@tributary/sources/gusto';",
    'libs/sources/gusto/index.ts',
  ],
  [
    'connectors-are-strangers',
    'libs/sources/github/index.ts',
    "import '../gusto/index.js';",
    'libs/sources/gusto/index.ts',
  ],
  [
    'only-the-registry-knows-all-connectors',
    'apps/router/src/x.ts',
    "import '@tributary/destinations/slack';",
    'libs/destinations/slack/index.ts',
  ],
  ['no-framework-below-the-apps', 'libs/connector-kit/src/y.ts', "import 'kafkajs';", 'node_modules/kafkajs/index.js'],
  [
    'no-framework-below-the-apps',
    'libs/destinations/slack/y.ts',
    "import '@nestjs/common';",
    'node_modules/@nestjs/common/index.js',
  ],
  ['no-framework-below-the-apps', 'libs/sources/gusto/z.ts', "import '@tributary/kafka';", 'libs/kafka/src/index.ts'],
  ['ledger-stands-alone', 'libs/ledger/src/x.ts', "import '@tributary/contracts';", 'libs/contracts/src/index.ts'],
  ['ledger-stands-alone', 'libs/ledger/src/y.ts', "import 'pg';", 'node_modules/pg/index.js'],
  ['kafkajs-behind-libs-kafka', 'apps/router/src/y.ts', "import 'kafkajs';", 'node_modules/kafkajs/index.js'],
  ['kafkajs-behind-libs-kafka', 'tools/cli/x.ts', "await import('kafkajs');", 'node_modules/kafkajs/index.js'],
  ['database-behind-libs-persistence', 'apps/router/src/z.ts', "import 'pg';", 'node_modules/pg/index.js'],
  [
    'nobody-imports-an-app',
    'apps/ingress/src/main.ts',
    "import '../../router/src/settings.js';",
    'apps/router/src/settings.ts',
  ],
  [
    'no-app-below-the-apps',
    'tools/cli/y.ts',
    "import '../../apps/router/src/settings.js';",
    'apps/router/src/settings.ts',
  ],
  [
    'no-app-below-the-apps',
    'libs/kafka/src/x.ts',
    "import '../../../apps/router/src/settings.js';",
    'apps/router/src/settings.ts',
  ],
  ['libraries-know-no-tools', 'libs/kafka/src/y.ts', "import '../../../tools/cli/main.js';", 'tools/cli/main.ts'],
  [
    'through-the-front-door',
    'libs/kafka/src/z.ts',
    "import '../../contracts/src/topic.js';",
    'libs/contracts/src/topic.ts',
  ],
  ['through-the-front-door', 'tools/cli/z.ts', "import '../../libs/kafka/src/index.js';", 'libs/kafka/src/index.ts'],
  ['no-test-code-in-production', 'apps/router/src/t.ts', "import '@tributary/testing';", 'libs/testing/src/index.ts'],
  ['no-test-code-in-production', 'tools/cli/t.ts', "import 'vitest';", 'node_modules/vitest/index.js'],
  [
    'no-test-code-in-production',
    'libs/sources/gusto/t.ts',
    "import '../../connector-kit/src/contract/suite.js';",
    'libs/connector-kit/src/contract/suite.ts',
  ],
  [
    'no-development-package-in-production',
    'apps/router/src/d.ts',
    "import 'autocannon';",
    'node_modules/autocannon/index.js',
  ],
  ['only-declared-packages', 'tools/cli/p.ts', "import 'stowaway';", 'node_modules/stowaway/index.js'],
  ['every-import-resolves', 'tools/cli/u.ts', "import '@tributary/nowhere';", '@tributary/nowhere'],
  ['no-cycles', 'tools/cli/c.ts', "import './main.js';\nimport './e.js';", 'tools/cli/e.ts'],
];

const secondHalfOfTheCycle = { 'tools/cli/e.ts': "import './c.js';" };

interface Violation {
  readonly rule: { readonly name: string };
  readonly from: string;
  readonly to: string;
}

async function violationsIn(root: string): Promise<Violation[]> {
  const args = [cruiser, '--config', config, '--output-type', 'json', '.'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, maxBuffer: 64 * 1024 * 1024 });
  return (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
}

function tree(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'tributary-rules-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  cpSync(join(repository, 'tsconfig.json'), join(root, 'tsconfig.json'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const summaryOf = ({ rule, from, to }: Violation) => `${rule.name}: ${from} -> ${to}`;

describe('the import rules', () => {
  it('accept a lawful tree', async () => {
    expect((await violationsIn(tree(skeleton))).map(summaryOf)).toEqual([]);
  });

  it('each catch their crime', async () => {
    const lawless = Object.fromEntries(crimes.map(([, file, text]) => [file, text]));
    const found = (await violationsIn(tree({ ...skeleton, ...lawless, ...secondHalfOfTheCycle }))).map(summaryOf);
    for (const [rule, file, , to] of crimes) expect(found).toContain(`${rule}: ${file} -> ${to}`);
  });

  it('are all tried above', async () => {
    const tried = new Set(crimes.map(([rule]) => rule));
    const rules = (await import(pathToFileURL(config).href)) as { default: { forbidden: { name: string }[] } };
    expect(rules.default.forbidden.map(({ name }) => name).filter((name) => !tried.has(name))).toEqual([]);
  });

  it('hold in this repository', async () => {
    expect((await violationsIn(repository)).map(summaryOf)).toEqual([]);
  });
});
