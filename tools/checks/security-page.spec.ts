import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  evidenceIn,
  findMissingEvidence,
  findWrongLimits,
  limitsIn,
  numbersNamed,
  readFrom,
  securityPage,
  titlesOf,
} from './security-page.js';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, securityPage), 'utf8');

describe('the security page', () => {
  it('names tests that exist', () => {
    expect(findMissingEvidence(page, readFrom(root))).toEqual([]);
    expect(evidenceIn(page).length).toBeGreaterThan(20);
  });

  it('names limits as the code has them', () => {
    expect(findWrongLimits(page, readFrom(root))).toEqual([]);
    expect(limitsIn(page).length).toBeGreaterThan(20);
  });

  it.each(Array.from({ length: 10 }, (_, index) => `API${index + 1}:2023`))('has a test for %s', (item) => {
    const rows = page.split('\n').filter((line) => line.startsWith(`| ${item} `));
    expect(rows).toHaveLength(1);
    expect(evidenceIn(rows[0] ?? '').length).toBeGreaterThan(0);
  });

  it('links to files that exist', () => {
    const links = [...page.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => !existsSync(join(root, dirname(securityPage), link)))).toEqual([]);
  });

  it('names files and folders that exist', () => {
    const paths = [...page.matchAll(/`((?:apps|libs|tools|test|k8s|docs|integrations)\/[\w./-]+)`/g)].map(
      ([, path = '']) => path,
    );
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

describe('evidence', () => {
  const spec = "it('does', () => {});\nit.each([['a row', 1]])('%s', () => {});\nconst it2 = f('does not');";
  const read = (path: string) => (path === 'a.spec.ts' ? spec : undefined);

  it('is a test or a row of its table', () => {
    expect([...titlesOf({ path: 'a.spec.ts', text: spec })].sort()).toEqual(['%s', 'a row', 'does']);
    expect(findMissingEvidence('x `a.spec.ts`: "does", "a row"', read)).toEqual([]);
  });

  it.each([
    ['renamed', '`a.spec.ts`: "did"', /no test "did"/],
    ['renamed beside one that is there', '`a.spec.ts`: "does", "did"', /no test "did"/],
    ['no test at all', '`a.spec.ts`: "does not"', /no test "does not"/],
    ['in a file that was moved', '`b.spec.ts`: "does"', /b\.spec\.ts .* does not exist/],
  ])('is missed when it is %s', (_, text, what) => {
    expect(findMissingEvidence(`\n${text}`, read)).toEqual([
      { where: `${securityPage}:2`, what: expect.stringMatching(what) },
    ]);
  });
});

describe('limits', () => {
  const code = [
    'const mostRows = 1_000;',
    'const largest = 2 * 1024 * 1024;',
    'function f({ timeoutMs = 5000 }) {}',
    "integer('RATE', 'Help.', 20, 1);",
    'const windowSeconds = 300;',
    'const twice = { n: 1 }; const other = { n: 2 };',
  ].join('\n');
  const read = (path: string) => (path === 'a.ts' ? code : undefined);
  const row = (value: string, name: string, path = 'a.ts') => `| what | ${value} | \`${path}\` \`${name}\` |`;

  it.each([
    ['1,000', 'mostRows'],
    ['2 MiB', 'largest'],
    ['5 s', 'timeoutMs'],
    ['20', 'RATE'],
    ['5 min', 'windowSeconds'],
  ])('of %s are found as %s', (value, name) => {
    expect(findWrongLimits(row(value, name), read)).toEqual([]);
  });

  it.each([
    ['another number', row('999', 'mostRows'), /says 1000/],
    ['another unit', row('2 KiB', 'largest'), /says 2097152/],
    ['a unit that nobody knows', row('5 weeks', 'timeoutMs'), /no number with a unit/],
    ['a name that was changed', row('1,000', 'mostLines'), /has no number of that name/],
    ['a file that was moved', row('1', 'x', 'b.ts'), /b\.ts does not exist/],
    ['a name that means two numbers', row('1', 'n'), /says 1 and 2/],
  ])('are wrong with %s', (_, text, what) => {
    expect(findWrongLimits(text, read)).toMatchObject([{ what: expect.stringMatching(what) }]);
  });

  it('are not made up from what is no number', () => {
    expect(numbersNamed({ path: 'a.ts', text: "const a = 'x'; const a2 = f(); const a = b;" }, 'a')).toEqual([]);
  });
});
