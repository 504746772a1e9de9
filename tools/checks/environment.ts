import ts from 'typescript';
import { visitSyntax } from './syntax.js';
import { isTestFile, type Problem, type WorkspaceFile } from './workspace-files.js';

/** Where the environment is turned into settings, and what is run by hand or by the test runner. */
const mayRead = [/^libs\/config\//, /^libs\/testing\//, /^(?:tools|test|bench)\//, /^[^/]+$/];

/** Reads of `process.env` outside libs/config: a setting that no table lists and no start-up check reports. */
export function findEnvironmentReads(files: readonly WorkspaceFile[]): Problem[] {
  return files
    .filter(({ path }) => !isTestFile(path) && !mayRead.some((place) => place.test(path)))
    .flatMap(problemsIn);
}

function problemsIn(file: WorkspaceFile): Problem[] {
  const problems: Problem[] = [];
  visitSyntax(file, (node, line) => {
    if (!readsEnvironment(node)) return;
    problems.push({
      where: `${file.path}:${line}`,
      what: "process.env is read here; declare a setting in the app's settings.ts and pass its value in",
    });
  });
  return problems;
}

function readsEnvironment(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return node.name.text === 'env' && isProcess(node.expression);
  if (ts.isElementAccessExpression(node)) {
    return (
      isProcess(node.expression) &&
      ts.isStringLiteralLike(node.argumentExpression) &&
      node.argumentExpression.text === 'env'
    );
  }
  if (ts.isVariableDeclaration(node)) {
    return node.initializer !== undefined && isProcess(node.initializer) && bindsEnv(node.name);
  }
  return ts.isImportDeclaration(node) && importsEnv(node);
}

function isProcess(node: ts.Expression): boolean {
  if (ts.isIdentifier(node)) return node.text === 'process';
  return ts.isPropertyAccessExpression(node) && node.name.text === 'process';
}

function bindsEnv(name: ts.BindingName): boolean {
  if (!ts.isObjectBindingPattern(name)) return false;
  return name.elements.some((element) => (element.propertyName ?? element.name).getText() === 'env');
}

function importsEnv({ moduleSpecifier, importClause }: ts.ImportDeclaration): boolean {
  const isProcessModule = ts.isStringLiteral(moduleSpecifier) && /^(?:node:)?process$/.test(moduleSpecifier.text);
  const bindings = importClause?.namedBindings;
  if (!isProcessModule || !bindings || !ts.isNamedImports(bindings)) return false;
  return bindings.elements.some(({ name, propertyName }) => (propertyName ?? name).text === 'env');
}
