import type { TopicDefinition } from '@tributary/contracts';
import ts from 'typescript';
import { visitSyntax } from './syntax.js';
import { isTestFile, type Problem, type WorkspaceFile } from './workspace-files.js';

const catalogueFile = 'libs/contracts/src/catalogue.ts';

/**
 * Topic names spelt outside the catalogue, also those put together from a template. Specs may spell them: what is on
 * the wire is stated there a second time on purpose.
 */
export function findSpeltTopics(files: readonly WorkspaceFile[], catalogue: readonly TopicDefinition[]): Problem[] {
  const stages = [...new Set(catalogue.map(({ name }) => name.split('.')[0]!))];
  const topicName = new RegExp(`^(?:${stages.join('|')})[.][^\\s/]+[.]v(?:\\d+|\\*)(?:[.][^\\s/]+)?$`);
  return files
    .filter(({ path }) => path !== catalogueFile && !isTestFile(path))
    .flatMap((file) => problemsIn(file, topicName));
}

function problemsIn(file: WorkspaceFile, topicName: RegExp): Problem[] {
  const problems: Problem[] = [];
  visitSyntax(file, (node, line) => {
    const text = textOf(node);
    if (text === undefined || !topicName.test(text)) return;
    problems.push({
      where: `${file.path}:${line}`,
      what: `the topic name "${text}" is spelt here; take it from the catalogue in @tributary/contracts`,
    });
  });
  return problems;
}

/** The text of a string, with `*` for what a template fills in. */
function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join('*');
}
