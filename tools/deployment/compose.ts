import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GeneratedFile } from '../generate/generated-file.js';
import type { ServiceFacts } from './services.js';

const path = 'docker-compose.yml';

/** The compose file with a connector for each destination, and all services to scrape; nothing where there is none. */
export function composeFile(root: string, services: Readonly<Record<string, ServiceFacts>>): GeneratedFile[] {
  const file = join(root, path);
  if (!existsSync(file)) return [];
  const connectors = Object.entries(services).filter(([, { destination }]) => destination !== undefined);
  const targets = Object.entries(services).map(([name, { port }]) => `- ${name}:${port}`);
  const text = [
    ['connectors', connectors.map(connectorOf).join('\n')] as const,
    ['targets', targets.join('\n')] as const,
  ].reduce((before, [name, content]) => replaceBlock(before, name, content), readFileSync(file, 'utf8'));
  return [{ path, text }];
}

function connectorOf([name, { app, destination, needs }]: [string, ServiceFacts]): string {
  const environment = ['*environment', '*demo', ...(needs.database ? ['*database'] : [])].join(', ');
  return `${name}:
  <<: *service
  build: { context: ., args: { APP: ${app} } }
  environment: { <<: [${environment}], DESTINATION: ${destination} }
`;
}

/** @throws Error when one of the markers is missing, or is there twice: what to replace would be a guess. */
export function replaceBlock(text: string, name: string, content: string): string {
  const parts = text.split(new RegExp(`^( *)# generated:${name}\\n[^]*?^ *# /generated:${name}\\n`, 'm'));
  const [before, indent, after] = parts;
  if (parts.length !== 3 || before === undefined || indent === undefined || after === undefined) {
    throw new Error(`${path} must hold "# generated:${name}" once and "# /generated:${name}" once after it`);
  }
  const lines = content
    .trimEnd()
    .split('\n')
    .map((line) => (line ? indent + line : line));
  return `${before}${indent}# generated:${name}\n${lines.join('\n')}\n${indent}# /generated:${name}\n${after}`;
}
