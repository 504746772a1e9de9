import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually, testStack, withDatabase } from '@tributary/testing';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { freePorts } from '../local-stack/index.js';
import { makeDemoSecrets, nodeFlags } from '../start/services.js';
import { imagesOf, writeTree } from './tree.js';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'tributary-trees-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The tree of an image as the Dockerfile makes it, outside the workspace: nothing of that can be found from there. */
const trees = new Map<string, Promise<string>>();
function treeOf(image: string): Promise<string> {
  const making = trees.get(image) ?? makeTree(image);
  trees.set(image, making);
  return making;
}

async function makeTree(image: string): Promise<string> {
  const target = join(folder, image);
  writeTree({ root, image, target });
  await run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline'], { cwd: target });
  return target;
}

/** Nothing but what is given: no setting of this machine, no search path for modules. */
function start(tree: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const cache = join(tree, '.compile-cache');
  const child = spawn(process.execPath, [...nodeFlags, join(tree, 'main.js'), ...args], {
    env: { ...env, ...(existsSync(cache) && { NODE_COMPILE_CACHE: cache }) },
    cwd: tmpdir(),
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function ending(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

const services = imagesOf(root).filter((image) => image !== 'cli' && image !== 'sandbox');

describe('the tree of an image', () => {
  it.each(services)('of %s has all it needs: it fails for lack of settings alone', async (image) => {
    const { code, output } = await ending(start(await treeOf(image), []));
    expect(output).toContain('settings are not usable');
    expect(output).toContain('KAFKA_BROKERS is missing');
    expect(code).toBe(78);
  });

  it('of the sandbox starts without any', async () => {
    const [port = 0] = await freePorts(1);
    start(await treeOf('sandbox'), [], { PORT: String(port) });
    await eventually(async () => expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).ok).toBe(true));
  });

  it('of the command line has every command', async () => {
    const { code, output } = await ending(start(await treeOf('cli'), ['--help']));
    expect(code).toBe(0);
    for (const command of ['prepare', 'prove', 'topics', 'schemas', 'database', 'apply'])
      expect(output).toContain(command);
  });

  it('has no package that only others need, and none for development', async () => {
    const packages = async (image: string) => new Set(readdirSync(join(await treeOf(image), 'node_modules')));
    const [router, normalizer, cli] = await Promise.all(['router', 'normalizer', 'cli'].map(packages));
    for (const absent of ['pg', 'typeorm', 'commander', 'stripe', 'fastify', 'typescript', 'vitest'])
      expect(router).not.toContain(absent);
    expect(normalizer).toContain('pg');
    expect(normalizer).not.toContain('commander');
    expect(cli).toContain('typeorm');
  });

  it('has a list of what is in it', async () => {
    const tree = await treeOf('router');
    const { stdout } = await run('npm', ['sbom', '--omit=dev', '--sbom-format=cyclonedx'], { cwd: tree });
    const { bomFormat, components } = JSON.parse(stdout) as { bomFormat: string; components: { name: string }[] };
    const locked = JSON.parse(readFileSync(join(tree, 'package-lock.json'), 'utf8')) as { packages: object };
    expect(bomFormat).toBe('CycloneDX');
    expect(components.map(({ name }) => name)).toContain('kafkajs');
    expect(components.length).toBeLessThan(Object.keys(locked.packages).length);
  });
});

describe('a compiled tree', () => {
  it('is taken by the program as it was made', async () => {
    const tree = await treeOf('normalizer');
    const bake = await run(process.execPath, [join(root, 'tools/image/bake.mjs'), tree, ...nodeFlags]);
    expect(bake.stdout).toMatch(/^bake: \d{3,} files compiled/);
    const { output } = await ending(start(tree, [], { NODE_DEBUG_NATIVE: 'COMPILE_CACHE' }));
    expect(output.match(/ was accepted/g)?.length).toBeGreaterThan(500);
    expect(output).not.toContain(' was rejected');
    expect(output).not.toContain('permission denied');
  });

  it('is not made of a program that does not end for want of settings', async () => {
    const broken = mkdtempSync(join(folder, 'broken-'));
    const bake = run(process.execPath, [join(root, 'tools/image/bake.mjs'), broken, ...nodeFlags]);
    await expect(bake).rejects.toThrow(/give the folder with the main\.js/);
  });
});

describe('on a real cluster', () => {
  const [database, keysDatabase] = [withDatabase(), withDatabase()];

  it('trees prepare an empty cluster, become ready and stop in order', async () => {
    const { kafka, registry } = testStack();
    const keys = mkdtempSync(join(folder, 'keys-'));
    const env = {
      ...makeDemoSecrets(),
      KAFKA_BROKERS: kafka.brokers.join(','),
      SCHEMA_REGISTRY_URL: registry.url,
      DATABASE_URL: database.url,
      KEYS_DATABASE_URL: keysDatabase.url,
      TRIBUTARY_KEK_FILE: join(keys, 'kek'),
      LEDGER_KEYS_FILE: join(keys, 'ledger'),
      SANDBOX_URL: 'http://127.0.0.1:1',
      HOST: '127.0.0.1',
    };
    const cli = await treeOf('cli');
    const prepared = await ending(start(cli, ['prepare', '--keys', keys], env));
    expect(prepared.output).toContain('tables, topics and schemas are there');
    const waited = await ending(start(cli, ['database', 'wait', '--seconds', '5'], env));
    expect([waited.code, waited.output]).toEqual([0, 'all tables are there\n']);

    const ports = await freePorts(2);
    const running = ['normalizer', 'ingress'].map(async (image, index) => {
      const child = start(await treeOf(image), [], { ...env, PORT: String(ports[index]) });
      return { child, ended: ending(child), url: `http://127.0.0.1:${ports[index]}/health/ready` };
    });
    for (const { child, ended, url } of await Promise.all(running)) {
      await eventually(async () => expect((await fetch(url)).status).toBe(200), { timeoutMs: 60_000 });
      child.kill('SIGTERM');
      expect((await ended).code).toBe(0);
    }
  });
});
