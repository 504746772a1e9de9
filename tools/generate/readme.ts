import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Registry } from '@tributary/registry';
import type { GeneratedFile } from './generated-file.js';
import { code, table } from './markdown.js';

/** The README with its table of integrations up to date; nothing when it has no place for one. */
export function readmeFile(root: string, registry: Registry): GeneratedFile[] {
  const file = join(root, 'README.md');
  if (!existsSync(file)) return [];
  const text = replaceBetween(readFileSync(file, 'utf8'), renderShortTables(registry));
  return text === undefined ? [] : [{ path: 'README.md', text }];
}

/** A part of a page that is written by hand otherwise. */
export interface GeneratedBlock {
  readonly name: string;
  readonly path: string;
}

const integrationsBlock: GeneratedBlock = { name: 'integrations', path: 'README.md' };

/** @throws Error when there is only one of the two markers, or several: what to replace would be a guess. */
export function replaceBetween(
  text: string,
  content: string,
  { name, path }: GeneratedBlock = integrationsBlock,
): string | undefined {
  const begin = `<!-- generated:${name} -->`;
  const end = `<!-- /generated:${name} -->`;
  const parts = text.split(begin);
  if (parts.length === 1 && !text.includes(end)) return undefined;
  const [before, after, ...more] = parts;
  const [old, rest, ...others] = (after ?? '').split(end);
  if (old === undefined || rest === undefined || more.length > 0 || others.length > 0) {
    throw new Error(`${path} must hold ${begin} once and ${end} once after it`);
  }
  return `${before}${begin}\n\n${content}\n\n${end}${rest}`;
}

export function renderShortTables({ sources, destinations }: Registry): string {
  const sourceRows = [...sources.values()].map(({ title, slug, summary, events }) => [
    `${title} (${code(slug)})`,
    summary,
    events.map(code).join(', '),
  ]);
  const destinationRows = [...destinations.values()].map(({ title, slug, summary, promises, unknownOutcome }) => [
    `${title} (${code(slug)})`,
    summary,
    promises.ordering === 'per-key' ? 'per key' : 'none',
    promises.idempotency === 'key' ? 'once in effect' : `once; unless nobody knows, then ${unknownOutcome}`,
  ]);
  return [
    table(['Source', 'What', 'Events'], sourceRows),
    table(['Destination', 'What', 'Order', 'After a crash'], destinationRows),
  ].join('\n\n');
}
