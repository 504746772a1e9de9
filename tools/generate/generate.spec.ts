import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { databaseSettings, integer, optionalText } from '@tributary/config';
import { topicFamilies, topics } from '@tributary/contracts';
import { registry } from '@tributary/registry';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readAppSettings } from './app-settings.js';
import { bringUpToDate } from './generated-file.js';
import { renderGuarantees } from './guarantees.js';
import { table } from './markdown.js';
import { renderMetricsPage } from './metrics-page.js';
import { renderShortTables, replaceBetween } from './readme.js';
import { renderSettingsPage } from './settings-page.js';
import { renderTopicsPage } from './topics-page.js';

function workspace(files: Readonly<Record<string, string>> = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'tributary-generate-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

describe('bringing files up to date', () => {
  const files = [
    { path: 'docs/generated/a.md', text: 'new\n' },
    { path: 'b.md', text: 'same\n' },
  ];

  it('names the stale and the missing ones and leaves them alone when it only checks', () => {
    const root = workspace({ 'docs/generated/a.md': 'old\n' });
    expect(bringUpToDate(files, { check: true, root })).toEqual(['docs/generated/a.md', 'b.md']);
    expect(readFileSync(join(root, 'docs/generated/a.md'), 'utf8')).toBe('old\n');
  });

  it('writes what is stale, and is then content', () => {
    const root = workspace({ 'b.md': 'same\n' });
    expect(bringUpToDate(files, { check: false, root })).toEqual(['docs/generated/a.md']);
    expect(bringUpToDate(files, { check: true, root })).toEqual([]);
  });
});

describe('a table', () => {
  it('keeps its columns whatever a cell holds', () => {
    expect(table(['a', 'b'], [['x | y', 'one\n  two']])).toBe(
      '| a      | b       |\n| ------ | ------- |\n| x \\| y | one two |',
    );
  });

  it('shows an empty cell as a dash', () => {
    expect(table(['a'], [['']])).toContain('| -   |');
  });
});

describe('the page of topics', () => {
  it('says how long each is kept, by age or by key', () => {
    const text = renderTopicsPage([topicFamilies.raw('acme'), topics.connections]);
    const rows = text.split('\n').map((line) => line.split('|').map((one) => one.trim()));
    expect(rows).toContainEqual(
      expect.arrayContaining(['`raw.acme.v1`', 'tenant:connection:subject', '6', '7 d', 'ingress']),
    );
    expect(rows).toContainEqual(expect.arrayContaining(['`control.connections.v1`', '1', 'the last of each key']));
  });
});

describe('the page of metrics', () => {
  it('is ordered by name', () => {
    const metric = { kind: 'counter', description: 'What.', unit: '{row}', labels: ['group'] };
    const text = renderMetricsPage({ 'b.rows': metric, 'a.rows': metric });
    expect(text.indexOf('`a.rows`')).toBeLessThan(text.indexOf('`b.rows`'));
    expect(text).toMatch(/\| `a\.rows` +\| counter +\| `\{row\}` +\| `group` +\| What\. +\|/);
  });
});

describe('the page of settings', () => {
  it('tells required, optional and secret apart', () => {
    const settings = { ...databaseSettings, size: integer('SIZE', 'How big.', 3), name: optionalText('NAME', 'Who.') };
    const text = renderSettingsPage({}, [{ app: 'billing', settings, isService: true }]);
    expect(text).toContain('## billing, beside those of every service');
    expect(text).toMatch(/\| `DATABASE_URL` +\| required \(secret\) \|/);
    expect(text).toMatch(/\| `SIZE` +\| `3` +\| How big\./);
    expect(text).toMatch(/\| `NAME` +\| optional +\| Who\./);
  });
});

describe('the settings of the apps', () => {
  const main = 'await runService({});\n';
  const oneSetting = `{ size: { variable: 'SIZE', help: 'How big.', fallback: '3', secret: false } }`;

  it('are read from what was built, for each app that has a main.ts', async () => {
    const root = workspace({
      'apps/audit-logger/src/main.ts': main,
      'apps/audit-logger/src/settings.ts': '',
      'apps/plain/src/main.ts': '',
      'apps/half-written/src/settings.ts': '',
      'dist/package.json': '{ "type": "module" }',
      'dist/apps/audit-logger/src/settings.js': `export const auditLoggerSettings = ${oneSetting};\n`,
    });
    const found = await readAppSettings({ root, built: join(root, 'dist') });
    expect(found).toMatchObject([
      { app: 'audit-logger', settings: { size: { variable: 'SIZE' } }, isService: true },
      { app: 'plain', settings: {}, isService: false },
    ]);
  });

  it.each([
    ['nothing built', undefined, /settings\.js is missing: run `npm run build` first/],
    ['another name', `export const settings = ${oneSetting};\n`, /must export "billingSettings"/],
    ['no settings', 'export const billingSettings = { size: 3 };\n', /must export "billingSettings"/],
  ])('are refused with %s', async (_, built, message) => {
    const root = workspace({
      'apps/billing/src/main.ts': main,
      'apps/billing/src/settings.ts': '',
      'dist/package.json': '{ "type": "module" }',
      ...(built !== undefined && { 'dist/apps/billing/src/settings.js': built }),
    });
    await expect(readAppSettings({ root, built: join(root, 'dist') })).rejects.toThrow(message);
  });
});

describe('the table in the README', () => {
  const begin = '<!-- generated:integrations -->';
  const end = '<!-- /generated:integrations -->';

  it('replaces what stands between the markers and nothing else', () => {
    expect(replaceBetween(`a\n${begin}\nold\n${end}\nb $& \n`, 'new')).toBe(`a\n${begin}\n\nnew\n\n${end}\nb $& \n`);
  });

  it('is left out of a README without markers', () => {
    expect(replaceBetween('# Tributary\n', 'new')).toBeUndefined();
  });

  it.each([[begin], [end], [`${end}${begin}`], [`${begin}${end}${begin}${end}`], [`${begin}${end}${end}`]])(
    'is refused with the markers of %j',
    (text) => {
      expect(() => replaceBetween(text, 'new')).toThrow('README.md must hold');
    },
  );

  it('is as the formatter wants it, so that the two never undo each other', () => {
    const text = replaceBetween(`# Tributary\n\n${begin}\n${end}\n`, renderShortTables(registry))!;
    const repository = join(import.meta.dirname, '../..');
    const biome = join(repository, 'node_modules/@biomejs/biome/bin/biome');
    const formatted = execFileSync(process.execPath, [biome, 'format', '--stdin-file-path=README.md'], {
      cwd: repository,
      input: text,
      encoding: 'utf8',
    });
    expect(formatted).toBe(text);
  });

  it('has a block of another name in another page', () => {
    const block = { name: 'guarantees', path: 'docs/x.md' };
    const [from, to] = ['<!-- generated:guarantees -->', '<!-- /generated:guarantees -->'];
    expect(replaceBetween(`${from}\nold\n${to}\n`, 'new', block)).toBe(`${from}\n\nnew\n\n${to}\n`);
    expect(() => replaceBetween(from, 'new', block)).toThrow('docs/x.md must hold');
  });

  it('promises something of every destination', () => {
    const text = renderGuarantees(registry);
    for (const { slug } of registry.destinations.values()) expect(text).toContain(`(\`${slug}\`)`);
  });

  it('has a row for every source and destination', () => {
    const text = renderShortTables(registry);
    for (const { slug } of [...registry.sources.values(), ...registry.destinations.values()]) {
      expect(text).toContain(`(\`${slug}\`)`);
    }
  });
});
