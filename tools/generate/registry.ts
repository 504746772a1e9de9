import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const generatedFolder = 'libs/registry/src/generated';

type Kind = 'sources' | 'destinations';

interface Found {
  readonly folder: string;
  /** Name of the exported definition. */
  readonly name: string;
}

/**
 * Writes the list of all sources and destinations from what is in their folders, so that adding one edits no file.
 * @returns the files that were not up to date; with `check` they are left as they are.
 * @throws Error when a folder holds no definition, or more than one.
 */
export async function generateRegistry(options: {
  readonly check: boolean;
  readonly root?: string;
}): Promise<string[]> {
  const root = options.root ?? process.cwd();
  const sources = find(root, 'sources', 'defineSource');
  const destinations = find(root, 'destinations', 'defineDestination');
  const files = {
    'sources.ts': renderDefinitions('sources', 'SourceDefinition', sources),
    'destinations.ts': renderDefinitions('destinations', 'DestinationDefinition', destinations),
    'slugs.ts': renderSlugs(sources, destinations),
  };
  return Object.entries(files).flatMap(([name, text]) => {
    const file = join(root, generatedFolder, name);
    if (existsSync(file) && readFileSync(file, 'utf8') === text) return [];
    if (!options.check) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    return [`${generatedFolder}/${name}`];
  });
}

function find(root: string, kind: Kind, maker: string): readonly Found[] {
  const parent = join(root, 'libs', kind);
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name: folder }) => ({ folder, name: exportedName(join(parent, folder, 'definition.ts'), maker) }))
    .sort((a, b) => (a.folder < b.folder ? -1 : 1));
}

function exportedName(file: string, maker: string): string {
  if (!existsSync(file)) throw new Error(`${file} is missing: a folder here is one definition`);
  const found = [...readFileSync(file, 'utf8').matchAll(new RegExp(`^export const (\\w+) = ${maker}\\(`, 'gm'))];
  const name = found[0]?.[1];
  if (found.length !== 1 || !name) throw new Error(`${file} must export exactly one "const <name> = ${maker}(...)"`);
  return name;
}

// Apart from the text: the build turns `from '@tributary/...'` into a path, inside a string as well.
const scope = '@tributary';

const notice = '// Generated from libs/sources and libs/destinations by `npm run generate`. Do not edit.';

function renderDefinitions(kind: Kind, type: string, found: readonly Found[]): string {
  return [
    notice,
    `import type { ${type} } from '${scope}/connector-kit';`,
    ...importsOf(kind, found),
    '',
    `export const ${kind}: readonly ${type}[] = [`,
    ...found.map((one) => `  ${aliasOf(kind, one)},`),
    '];',
    '',
  ].join('\n');
}

/** Names alone (a folder is named like its slug), for whoever needs topics and not what is behind them. */
function renderSlugs(sources: readonly Found[], destinations: readonly Found[]): string {
  return [
    notice,
    `export const sourceSlugs: readonly string[] = ${listOf(sources)};`,
    `export const destinationSlugs: readonly string[] = ${listOf(destinations)};`,
    '',
  ].join('\n');
}

const listOf = (found: readonly Found[]): string => `[${found.map(({ folder }) => `'${folder}'`).join(', ')}]`;

const importsOf = (kind: Kind, found: readonly Found[]): readonly string[] =>
  found.map((one) => `import { ${one.name} as ${aliasOf(kind, one)} } from '${scope}/${kind}/${one.folder}';`);

// A vendor can be a source and a destination, under one name.
const aliasOf = (kind: Kind, { name }: Found): string => `${name}${kind === 'sources' ? 'Source' : 'Destination'}`;
