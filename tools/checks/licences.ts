import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from './workspace-files.js';

/** What a service may be shipped with: nothing that asks for more than to be named. The list of `docs/security.md`. */
export const allowedLicences = [
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Unlicense',
] as const;

export interface InstalledPackage {
  /** As in the lock file, for example `node_modules/pg`. */
  readonly path: string;
  /** An SPDX expression; undefined when the package says nothing we can read. */
  readonly licence: string | undefined;
}

interface LockedPackage {
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly license?: unknown;
}

/** Every package that `npm ci --omit=dev` installs, on any platform. What a package says itself counts before what the lock file says. */
export function productionPackages(root: string): InstalledPackage[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev, link }]) => path !== '' && !dev && !link)
    .map(([path, { license }]) => ({ path, licence: saidBy(join(root, path)) ?? textOf(license) }));
}

function saidBy(folder: string): string | undefined {
  const file = join(folder, 'package.json');
  // Packages of other platforms are in the lock file only.
  if (!existsSync(file)) return undefined;
  const { license } = JSON.parse(readFileSync(file, 'utf8')) as { license?: unknown };
  return textOf(license) ?? licenceFileOf(folder);
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** A package without the field may still bring the text. Only the MIT licence is told by its words: it has no other form. */
function licenceFileOf(folder: string): string | undefined {
  const file = ['LICENSE', 'LICENSE.md', 'LICENCE'].map((name) => join(folder, name)).find((path) => existsSync(path));
  const text = file === undefined ? '' : readFileSync(file, 'utf8').replace(/\s+/g, ' ');
  const isMit =
    text.includes('Permission is hereby granted, free of charge, to any person obtaining a copy') &&
    text.includes('The above copyright notice and this permission notice shall be included');
  return isMit ? 'MIT' : undefined;
}

/** A choice (`A OR B`) needs one that is allowed, a sum (`A AND B`) needs all. Anything this does not read is refused. */
export function isAllowed(expression: string): boolean {
  const bare = expression.trim().replace(/^\((.*)\)$/, '$1');
  if (/[()]/.test(bare)) return false;
  return bare
    .split(' OR ')
    .some((choice) =>
      choice.split(' AND ').every((one) => (allowedLicences as readonly string[]).includes(one.trim())),
    );
}

export function findRefusedLicences(packages: readonly InstalledPackage[]): Problem[] {
  return packages
    .filter(({ licence }) => licence === undefined || !isAllowed(licence))
    .map(({ path, licence }) => ({
      where: path,
      what: `is shipped and its licence is ${licence ?? 'not said'}; allowed are ${allowedLicences.join(', ')}: replace the package, or have the licence looked at and add it to tools/checks/licences.ts`,
    }));
}
