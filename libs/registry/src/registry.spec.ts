import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { generateRegistry } from '../../../tools/generate/registry.js';
import { registry, registryOf, renderIntegrationsTable, topicsOf } from './index.js';

describe('registry', () => {
  it('is what the folders hold', async () => {
    expect(await generateRegistry({ check: true })).toEqual([]);
  });

  it.each(['sources', 'destinations'] as const)('has every folder of %s under its slug', (kind) => {
    const folders = readdirSync(join(import.meta.dirname, '../..', kind)).sort();
    expect([...registry[kind].keys()].sort()).toEqual(folders);
  });

  it('lists a raw topic for each source and a delivery topic for each destination', () => {
    const names = topicsOf(registry).map(({ name }) => name);
    for (const slug of registry.sources.keys()) expect(names).toContain(`raw.${slug}.v1`);
    for (const slug of registry.destinations.keys()) expect(names).toContain(`delivery.${slug}.v1.retry`);
  });

  it('refuses two definitions with one slug', () => {
    const [slack] = [...registry.destinations.values()];
    if (!slack) throw new Error('there are destinations');
    expect(() => registryOf([], [slack, slack])).toThrow(/two destinations have the slug/);
  });

  it('prints one row for each, with equally many cells', () => {
    const table = renderIntegrationsTable(registry);
    for (const { slug } of [...registry.sources.values(), ...registry.destinations.values()]) {
      expect(table).toContain(`(\`${slug}\`)`);
    }
    const widths = table.split('\n').filter((line) => line.startsWith('|'));
    const cells = widths.map((line) => line.split(/(?<!\\)\|/).length);
    expect(new Set(cells.slice(0, registry.sources.size + 2)).size).toBe(1);
    expect(new Set(cells.slice(registry.sources.size + 2)).size).toBe(1);
  });
});

describe('the generator of the registry', () => {
  function workspace(definition?: string): string {
    const root = mkdtempSync(join(tmpdir(), 'registry-'));
    onTestFinished(() => rmSync(root, { recursive: true }));
    for (const kind of ['sources/acme', 'destinations']) mkdirSync(join(root, 'libs', kind), { recursive: true });
    if (definition !== undefined) writeFileSync(join(root, 'libs/sources/acme/definition.ts'), definition);
    return root;
  }
  const folder = 'libs/registry/src/generated';
  const files = ['sources.ts', 'destinations.ts', 'slugs.ts'].map((name) => `${folder}/${name}`);

  it('reports a stale list without writing when it only checks', async () => {
    const root = workspace('export const acme = defineSource({});\n');
    expect(await generateRegistry({ check: true, root })).toEqual(files);
    expect(await generateRegistry({ check: false, root })).toEqual(files);
    expect(await generateRegistry({ check: true, root })).toEqual([]);
    expect(readFileSync(join(root, folder, 'sources.ts'), 'utf8')).toContain(
      "import { acme as acmeSource } from '@tributary/sources/acme';",
    );
    expect(readFileSync(join(root, folder, 'slugs.ts'), 'utf8')).toContain("sourceSlugs: readonly string[] = ['acme']");
  });

  it.each([
    ['no definition file', undefined, /is missing/],
    ['no definition in it', 'export const x = 1;\n', /exactly one/],
    [
      'two definitions in it',
      'export const a = defineSource({});\nexport const b = defineSource({});\n',
      /exactly one/,
    ],
  ])('names the folder when there is %s', async (_name, definition, message) => {
    await expect(generateRegistry({ check: true, root: workspace(definition) })).rejects.toThrow(message);
  });
});
