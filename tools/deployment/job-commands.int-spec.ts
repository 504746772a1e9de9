import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { containersOf, parseManifests, podSpecOf } from './manifests.js';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

/** What the command line is told in the rendered base and in the compose file. */
function commandLines(): string[][] {
  const manifests = parseManifests(read('k8s/kustomize/base/tributary.yaml'), 'the base');
  const containers = manifests.flatMap((one) => podSpecOf(one) ?? []).flatMap(containersOf);
  const compose = parse(read('docker-compose.yml'), { merge: true }) as { services: { setup: { command: string[] } } };
  const all = [...containers.flatMap(({ args }) => (args ? [[...args]] : [])), compose.services.setup.command];
  return [...new Map(all.map((one) => [one.join(' '), one])).values()];
}

const lines = commandLines();

it('the manifests use the command line', () => {
  expect(lines.length).toBeGreaterThan(3);
});

it.each(lines.map((line) => [line.join(' '), line] as const))('the command line knows "%s"', async (_, line) => {
  const words = line.slice(
    0,
    line.findIndex((one) => one.startsWith('-')),
  );
  const help = await run(process.execPath, [join(root, 'dist/tools/cli/main.js'), ...words, '--help']);
  expect(help.stdout).toContain(`Usage: tributary ${words.join(' ')} [options]`);
  for (const option of line.filter((one) => one.startsWith('-'))) expect(help.stdout).toContain(option);
});
