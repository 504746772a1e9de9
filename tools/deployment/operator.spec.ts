import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { databaseSettings, kekSettings, optionalLedgerKeySettings, platformSettings } from '@tributary/config';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../cli/program.js';
import { parseDockerfile } from '../image/dockerfile.js';
import { whyNotACommand } from '../observability/runbook-commands.js';
import { type Container, type Manifest, parseManifests, podSpecOf } from './manifests.js';

const root = join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const readme = read('docs/runbooks/README.md');
const base = parseManifests(read('k8s/kustomize/base/tributary.yaml'), 'the base');
const [, name = ''] = /--from=cronjob\/(\S+)/.exec(readme) ?? [];
const job = base.find(({ kind, metadata }) => kind === 'CronJob' && metadata.name === name) as Manifest;

describe('the command line within a cluster', () => {
  const pod = podSpecOf(job);
  const container = pod?.containers[0] as Container & { readonly volumeMounts: ReadonlyArray<{ mountPath: string }> };

  it('is a CronJob of the chart that never starts by itself', () => {
    expect(job).toMatchObject({ spec: { suspend: true } });
    expect(pod?.serviceAccountName).toBe(name);
    expect(container.image).toMatch(/tributary-cli:/);
  });

  it('is run as the image runs it', () => {
    const entry = parseDockerfile(read('Dockerfile')).findLast(({ word }) => word === 'ENTRYPOINT')?.rest ?? '[]';
    const words = JSON.parse(entry) as string[];
    expect(readme).toContain(` -- ${words[0]} ${words.at(-1)} `);
    const commands = [...readme.matchAll(/^(tributary health .*)$/gm)].map(([, line = '']) => line);
    expect(commands.map((line) => whyNotACommand(line, createProgram()))).toEqual([undefined]);
    expect(createProgram().options.map(({ long }) => long)).toContain('--actor');
  });

  it('is given what its commands read', () => {
    const declared = { ...platformSettings, ...databaseSettings, ...kekSettings, ...optionalLedgerKeySettings };
    const known = Object.values(declared).map(({ variable }) => variable);
    const given = (container.env ?? []).map((one) => one.name);
    expect(known).toEqual(expect.arrayContaining(given));
    expect(given).toEqual(
      expect.arrayContaining([
        'KAFKA_BROKERS',
        'SCHEMA_REGISTRY_URL',
        'DATABASE_URL',
        'TRIBUTARY_KEK_FILE',
        'LEDGER_KEYS_FILE',
      ]),
    );
  });

  it('may speak to what the runbooks ask', () => {
    const policy = base.find(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === name);
    const egress = JSON.stringify((policy!.spec as { egress: object[] }).egress);
    for (const port of [9093, 8080, 5432]) expect(egress).toContain(`"port":${port}`);
    expect(egress).toContain('"to":[{"podSelector"');
  });

  it('has the files that the runbooks name', () => {
    const mounts = container.volumeMounts.map(({ mountPath }) => mountPath);
    const pages = globSync('docs/runbooks/*.md', { cwd: root }).map((file) => read(file));
    const files = pages.flatMap((page) => page.match(/\/etc\/tributary\/[\w./-]+/g) ?? []);
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => !mounts.some((mount) => file.startsWith(`${mount}/`)))).toEqual([]);
  });

  it('finds the services where the runbooks look for them', () => {
    const services = base.filter(({ kind }) => kind === 'Service').map(({ metadata }) => metadata.name);
    const pages = globSync('docs/runbooks/*.md', { cwd: root }).map((file) => read(file));
    const hosts = new Set(
      pages.flatMap((page) => [...page.matchAll(/http:\/\/([a-z-]+):8080/g)].map(([, host]) => host)),
    );
    expect(hosts.size).toBeGreaterThan(3);
    expect(services).toEqual(expect.arrayContaining([...hosts]));
  });
});
