import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

/** What a program needs to run: its own files, from the top of the build, and packages. */
export interface ImportGraph {
  readonly files: readonly string[];
  readonly packages: readonly string[];
}

/**
 * Follows every import of a built program, also those that are made later. `known` are the packages that the workspace declares.
 * @throws Error naming an import that leads nowhere, or to a package that is not declared.
 */
export function importGraph(built: string, entry: string, known: ReadonlySet<string>): ImportGraph {
  const files = new Set<string>();
  const packages = new Set<string>();
  const open = [join(built, entry)];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    const path = relative(built, file);
    if (files.has(path)) continue;
    if (!existsSync(file)) throw new Error(`${path} is imported and was not built: run \`npm run build\``);
    files.add(path);
    for (const target of importsOf(file, known)) {
      if (target.startsWith('.')) open.push(join(dirname(file), target));
      else packages.add(requireKnown(packageOf(target), path, known));
    }
  }
  return { files: [...files].sort(), packages: [...packages].sort() };
}

function requireKnown(name: string, path: string, known: ReadonlySet<string>): string {
  if (known.has(name)) return name;
  throw new Error(`${path} imports ${name}, which is no dependency in package.json`);
}

/** `@scope/name` of `@scope/name/deep/file.js`. */
const packageOf = (target: string): string =>
  target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');

function importsOf(file: string, known: ReadonlySet<string>): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, false, ts.ScriptKind.JS);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const target = targetOf(node, known);
    if (target !== undefined && !isBuiltin(target)) found.push(target);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function targetOf(node: ts.Node, known: ReadonlySet<string>): string | undefined {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
    return (node.moduleSpecifier as ts.StringLiteral).text;
  }
  if (!ts.isCallExpression(node)) return undefined;
  const [argument] = node.arguments;
  if (!argument || !ts.isStringLiteralLike(argument)) return undefined;
  if (node.expression.kind === ts.SyntaxKind.ImportKeyword) return argument.text;
  // A `require` made by createRequire may have any name; a declared package in a call is taken for one.
  return known.has(packageOf(argument.text)) ? argument.text : undefined;
}
