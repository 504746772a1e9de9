import ts from 'typescript';
import type { WorkspaceFile } from './workspace-files.js';

/** Calls `visit` for every node, so that what stands in comments and strings is never mistaken for code. */
export function visitSyntax(file: WorkspaceFile, visit: (node: ts.Node, line: number) => void): void {
  const source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true);
  const walk = (node: ts.Node): void => {
    visit(node, source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1);
    ts.forEachChild(node, walk);
  };
  walk(source);
}
