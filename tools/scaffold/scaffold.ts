import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generateRegistry } from '../generate/registry.js';
import { destinationTemplate } from './destination-template.js';
import { sourceTemplate } from './source-template.js';

export const kinds = { source: sourceTemplate, destination: destinationTemplate } as const;
export type Kind = keyof typeof kinds;

/** What a person asked for cannot be made; the message says what to change. */
export class ScaffoldRefused extends Error {}

export interface ScaffoldOrder {
  readonly kind: Kind;
  readonly vendor: string;
  readonly root: string;
}

/**
 * Makes a folder that passes its contract suite, ready to be changed step by step, and registers it.
 * @returns the files written. @throws ScaffoldRefused when the name is not usable or taken.
 */
export async function scaffold({ kind, vendor, root }: ScaffoldOrder): Promise<readonly string[]> {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(vendor) || vendor.length > 40) {
    throw new ScaffoldRefused(
      `${JSON.stringify(vendor)} is no name for a ${kind}: lower case, digits and hyphens, like acme-crm`,
    );
  }
  const folder = join('libs', `${kind}s`, vendor);
  if (existsSync(join(root, folder))) throw new ScaffoldRefused(`${folder} exists already`);
  const files = Object.entries(kinds[kind]).map(([path, text]) => ({
    path: join(folder, filled(path, vendor)),
    text: filled(text, vendor),
  }));
  for (const { path, text } of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return [...files.map(({ path }) => path), ...(await generateRegistry({ check: false, root }))];
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

function filled(template: string, vendor: string): string {
  const words = vendor.split('-');
  const type = words.map(capital).join('');
  return template
    .replaceAll('__slug__', vendor)
    .replaceAll('__title__', words.map(capital).join(' '))
    .replaceAll('__name__', type.charAt(0).toLowerCase() + type.slice(1));
}
