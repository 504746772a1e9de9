import { existsSync, readFileSync } from 'node:fs';
import { maxHeaderSize } from 'node:http';
import { join } from 'node:path';
import ts from 'typescript';
import { visitSyntax } from './syntax.js';
import type { Problem, WorkspaceFile } from './workspace-files.js';

/** The page of the threat model, and what it says about the code that can be looked up there. */
export const securityPage = 'docs/security.md';

/** A file as the page names it; undefined when there is none. */
export type ReadFile = (path: string) => string | undefined;

export const readFrom =
  (root: string): ReadFile =>
  (path) => {
    const file = join(root, path);
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  };

export interface Evidence {
  readonly line: number;
  readonly path: string;
  readonly titles: readonly string[];
}

/** Tests that the page names: `path/of.spec.ts`: "title", "title". */
export function evidenceIn(page: string): Evidence[] {
  return page.split('\n').flatMap((text, index) =>
    [...text.matchAll(/`([\w./-]+\.ts)`: ("[^"]+"(?:, "[^"]+")*)/g)].map(([, path = '', titles = '']) => ({
      line: index + 1,
      path,
      titles: [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => unescaped(title)),
    })),
  );
}

// Biome escapes what Markdown would read as emphasis.
const unescaped = (title: string): string => title.replace(/\\([_*|<>])/g, '$1');

/** What the page names as a test and nothing runs under that name. */
export function findMissingEvidence(page: string, read: ReadFile): Problem[] {
  return evidenceIn(page).flatMap(({ line, path, titles }) => {
    const where = `${securityPage}:${line}`;
    const text = read(path);
    if (text === undefined) return [{ where, what: `${path} is named as evidence and does not exist` }];
    const known = titlesOf({ path, text });
    return titles
      .filter((title) => !known.has(title))
      .map((title) => ({ where, what: `${path} has no test "${title}": name the one that shows it now` }));
  });
}

/** Names of tests: what `it` is called with, and the first cell of each row of a table. */
export function titlesOf(file: WorkspaceFile): Set<string> {
  const titles = new Set<string>();
  visitSyntax(file, (node) => {
    const named = ts.isCallExpression(node) && /^it\b/.test(node.expression.getText()) ? node.arguments[0] : undefined;
    const first = ts.isArrayLiteralExpression(node) ? node.elements[0] : undefined;
    for (const one of [named, first]) if (one && ts.isStringLiteralLike(one)) titles.add(one.text);
  });
  return titles;
}

export interface Limit {
  readonly line: number;
  readonly value: string;
  readonly path: string;
  readonly name: string;
}

/** Rows of the table of limits: the value in the last cell but one, and in the last `file` `name`. */
export function limitsIn(page: string): Limit[] {
  return page.split('\n').flatMap((text, index) => {
    const [, value = '', path = '', name = ''] = /\| ([^|]+?) +\| `([\w.:/-]+)` `(\w+)` +\|$/.exec(text) ?? [];
    return path === '' ? [] : [{ line: index + 1, value, path, name }];
  });
}

/** Limits whose value in the page is not the one in the code. */
export function findWrongLimits(page: string, read: ReadFile): Problem[] {
  return limitsIn(page).flatMap(({ line, value, path, name }) => {
    const where = `${securityPage}:${line}`;
    const said = amountOf(value, name);
    if (said === undefined) return [{ where, what: `"${value}" is no number with a unit that is known` }];
    const text = path === 'node:http' ? `const maxHeaderSize = ${maxHeaderSize};` : read(path);
    if (text === undefined) return [{ where, what: `${path} does not exist` }];
    const found = numbersNamed({ path, text }, name);
    if (found.length > 0 && found.every((number) => number === said)) return [];
    const actual = found.length === 0 ? 'has no number of that name' : `says ${found.join(' and ')}`;
    return [{ where, what: `the page says ${value} for ${name}, which is ${said}, and ${path} ${actual}` }];
  });
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  s: 1_000,
  min: 60_000,
  B: 1,
  KiB: 1_024,
  MiB: 1_024 * 1_024,
};

/** In what the code counts by: bytes, milliseconds or, by its name, seconds. */
function amountOf(text: string, name: string): number | undefined {
  const [, digits = '', unit = ''] = /^([\d,]+)(?: (\w+))?$/.exec(text) ?? [];
  const factor = units[unit];
  if (digits === '' || factor === undefined) return undefined;
  const amount = Number(digits.replaceAll(',', '')) * factor;
  return /Seconds$/.test(name) ? amount / 1_000 : amount;
}

/** Every number that a file gives to a name: a constant, a property, a default, or the default of a setting. */
export function numbersNamed(file: WorkspaceFile, name: string): number[] {
  const numbers: number[] = [];
  visitSyntax(file, (node) => {
    const number = numberOf(valueGivenTo(name, node));
    if (number !== undefined) numbers.push(number);
  });
  return numbers;
}

function valueGivenTo(name: string, node: ts.Node): ts.Expression | undefined {
  if (ts.isVariableDeclaration(node) || ts.isBindingElement(node) || ts.isPropertyAssignment(node)) {
    return node.name.getText() === name ? node.initializer : undefined;
  }
  if (!ts.isCallExpression(node) || node.expression.getText() !== 'integer') return undefined;
  const [variable, , byDefault] = node.arguments;
  return variable && ts.isStringLiteral(variable) && variable.text === name ? byDefault : undefined;
}

function numberOf(node: ts.Expression | undefined): number | undefined {
  if (!node) return undefined;
  if (ts.isNumericLiteral(node)) return Number(node.text);
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.AsteriskToken) return undefined;
  const [left, right] = [numberOf(node.left), numberOf(node.right)];
  return left === undefined || right === undefined ? undefined : left * right;
}
