import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Render } from './renders.js';

const run = promisify(execFile);

interface KubernetesBundle {
  readonly kinds: Readonly<Record<string, object>>;
  readonly $defs: object;
}

/** Minor versions whose schemas are in the repository, oldest first. */
export function knownMinors(root: string): string[] {
  return readdirSync(join(root, 'k8s/schemas')).flatMap((file) => /^kubernetes-(.+)\.json$/.exec(file)?.[1] ?? []);
}

/** Writes the schemas of one minor where kubeconform looks for them. @returns where that is, as it wants to be told. */
export function unpackSchemas(root: string, minor: string, folder: string): string[] {
  const { kinds, $defs } = read<KubernetesBundle>(root, `kubernetes-${minor}.json`);
  for (const [name, schema] of Object.entries(kinds)) write(join(folder, `${name}.json`), { ...schema, $defs });
  for (const [name, schema] of Object.entries(read<Record<string, object>>(root, 'resources.json'))) {
    write(join(folder, 'resources', `${name}.json`), schema);
  }
  return [
    join(folder, '{{ .ResourceKind }}{{ .KindSuffix }}.json'),
    join(folder, 'resources', '{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json'),
  ];
}

const read = <T>(root: string, file: string): T =>
  JSON.parse(readFileSync(join(root, 'k8s/schemas', file), 'utf8')) as T;

function write(file: string, content: object): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(content));
}

interface Verdict {
  readonly resources: ReadonlyArray<{ kind: string; name: string; status: string; msg: string }>;
  readonly summary: {
    readonly valid: number;
    readonly invalid: number;
    readonly errors: number;
    readonly skipped: number;
  };
}

export interface Validation {
  readonly objects: number;
  readonly problems: readonly string[];
}

/** Every object of a render against its schema. A kind without one is a problem as well: nobody looked at it. */
export async function validate(kubeconform: string, locations: readonly string[], render: Render): Promise<Validation> {
  const args = [
    '-strict',
    '-output',
    'json',
    '-summary',
    ...locations.flatMap((one) => ['-schema-location', one]),
    '-',
  ];
  const running = run(kubeconform, args, { maxBuffer: 64 * 1024 * 1024 });
  running.child.stdin?.end(render.text);
  // It exits with 1 when something is invalid, and says what all the same.
  const { stdout, stderr } = await running.catch((error: { stdout?: string; stderr?: string }) => ({
    stdout: error.stdout ?? '',
    stderr: error.stderr ?? '',
  }));
  if (!stdout) throw new Error(`kubeconform says nothing about ${render.name}: ${stderr}`);
  const { resources, summary } = JSON.parse(stdout) as Verdict;
  return {
    objects: summary.valid + summary.invalid + summary.errors + summary.skipped,
    problems: resources
      .filter(({ status }) => status !== 'statusValid')
      .map(({ kind, name, msg }) => `${kind}/${name}: ${msg}`),
  };
}
