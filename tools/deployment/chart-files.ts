import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { platformSettings } from '@tributary/config';
import { registry } from '@tributary/registry';
import { Document, isScalar, type Pair, stringify } from 'yaml';
import { type Places, readAppSettings } from '../generate/app-settings.js';
import type { GeneratedFile } from '../generate/generated-file.js';
import { code, table } from '../generate/markdown.js';
import { replaceBetween } from '../generate/readme.js';
import { type ChartFacts, readChartFacts } from './chart-facts.js';
import { composeFile } from './compose.js';
import type { ValueSchema } from './value-kinds.js';
import { chartValues } from './values.js';

const chart = 'k8s/chart/tributary';
const notice = '# Generated from the code by `npm run generate`. Do not edit.\n';

/** The parts of the chart that derive from the code. */
export async function chartFiles(places: Places): Promise<GeneratedFile[]> {
  const facts = await readChartFacts(places);
  const values = chartValues({
    services: facts.services,
    destinations: [...registry.destinations.keys()],
    help: await helpByVariable(places),
  });
  return [
    { path: `${chart}/files/facts.yaml`, text: notice + yamlOf(facts) },
    { path: `${chart}/values.yaml`, text: renderValues(values) },
    { path: `${chart}/values.schema.json`, text: `${JSON.stringify(rootSchema(values), null, 2)}\n` },
    ...composeFile(places.root, facts.services),
    ...readmeFile(places.root, values),
  ];
}

const yamlOf = (facts: ChartFacts): string => stringify(facts, { lineWidth: 0, aliasDuplicateObjects: false });

async function helpByVariable(places: Places): Promise<ReadonlyMap<string, string>> {
  const apps = await readAppSettings(places);
  const all = [platformSettings, ...apps.map(({ settings }) => settings)].flatMap((one) => Object.values(one));
  return new Map(all.map(({ variable, help }) => [variable, help]));
}

const rootSchema = (values: ValueSchema): object => ({ $schema: 'http://json-schema.org/draft-07/schema#', ...values });

/** The defaults with their descriptions as comments. */
export function renderValues(values: ValueSchema): string {
  const document = new Document(defaultsOf(values));
  comment(document.contents, values);
  return notice + document.toString({ lineWidth: 0 });
}

export function defaultsOf(schema: ValueSchema): unknown {
  if (schema.default !== undefined || !schema.properties) return schema.default;
  const entries = Object.entries(schema.properties).map(([name, one]) => [name, defaultsOf(one)]);
  const known = entries.filter(([, value]) => value !== undefined);
  return Object.fromEntries(known);
}

function comment(node: unknown, { properties = {} }: ValueSchema): void {
  for (const pair of (node as { items?: readonly Pair[] } | null)?.items ?? []) {
    const schema = isScalar(pair.key) ? properties[String(pair.key.value)] : undefined;
    if (!schema || !isScalar(pair.key)) continue;
    pair.key.commentBefore = ` ${schema.description}`;
    comment(pair.value, schema);
  }
}

/** The table of all values in the README of k8s. */
export function renderValueTable(values: ValueSchema): string {
  return table(['Value', 'Default', 'What'], rowsOf('', values));
}

function rowsOf(prefix: string, { properties = {} }: ValueSchema): string[][] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const path = prefix + name;
    if (path === 'services') return [[code('services.<name>'), '', `${schema.description}`]];
    if (schema.properties && schema.default === undefined) return rowsOf(`${path}.`, schema);
    return [[code(path), shown(schema.default), schema.description]];
  });
}

function shown(value: unknown): string {
  if (value === '') return 'empty';
  return code(typeof value === 'string' ? value : JSON.stringify(value));
}

/** The README of k8s with that table up to date; nothing when there is no place for one. */
function readmeFile(root: string, values: ValueSchema): GeneratedFile[] {
  const path = 'k8s/README.md';
  const file = join(root, path);
  if (!existsSync(file)) return [];
  const text = replaceBetween(readFileSync(file, 'utf8'), renderValueTable(values), { name: 'values', path });
  return text === undefined ? [] : [{ path, text }];
}
