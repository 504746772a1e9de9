import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { importGraph } from './import-graph.js';
import { packageSubset } from './package-subset.js';
import { writeTree } from './tree.js';

function folder(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'tributary-image-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const known = new Set(['kafkajs', '@nestjs/core', 'undici']);

describe('what a program imports', () => {
  it('is followed through files, also what is imported later and by require', () => {
    const built = folder({
      'apps/a/main.js': `import { x } from '../../libs/x.js';\nexport * from './own.js';\nimport 'node:fs';\n`,
      'apps/a/own.js': `const later = () => import('./later.js');\n`,
      'apps/a/later.js': `import deep from '@nestjs/core/deep/file.js';\n`,
      'libs/x.js': `import { createRequire } from 'node:module';\nconst load = createRequire(import.meta.url);\nload('undici');\nconsole.log('says kafkajs', fetch('x'));\n`,
      'libs/unused.js': `import 'kafkajs';\n`,
    });
    expect(importGraph(built, 'apps/a/main.js', known)).toEqual({
      files: ['apps/a/later.js', 'apps/a/main.js', 'apps/a/own.js', 'libs/x.js'],
      packages: ['@nestjs/core', 'undici'],
    });
  });

  it.each([
    ['a file that was not built', `import './gone.js';`, /gone\.js is imported and was not built/],
    ['a package that is not declared', `import 'left-pad';`, /left-pad, which is no dependency/],
  ])('is refused with %s', (_, text, message) => {
    expect(() => importGraph(folder({ 'main.js': text }), 'main.js', known)).toThrow(message);
  });

  it('may go in circles', () => {
    const built = folder({ 'a.js': `import './b.js';`, 'b.js': `import './a.js';` });
    expect(importGraph(built, 'a.js', known).files).toEqual(['a.js', 'b.js']);
  });
});

describe('the packages of an image', () => {
  const manifest = {
    name: 'tributary',
    version: '1.0.0',
    dependencies: { a: '1.0.0', other: '1.0.0' },
    devDependencies: {},
  };
  const lock = {
    name: 'tributary',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: {
      '': { dependencies: { a: '1.0.0', other: '1.0.0' } },
      'node_modules/a': {
        version: '1.0.0',
        dependencies: { shared: '^1.0.0' },
        peerDependencies: { peer: '*', maybe: '*' },
        peerDependenciesMeta: { maybe: { optional: true } },
      },
      'node_modules/a/node_modules/shared': { version: '1.5.0', dependencies: { deep: '*' } },
      'node_modules/shared': { version: '2.0.0' },
      'node_modules/deep': { version: '1.0.0', dev: true, optionalDependencies: { fsevents: '*' } },
      'node_modules/peer': { version: '1.0.0' },
      'node_modules/maybe': { version: '1.0.0' },
      'node_modules/other': { version: '1.0.0' },
    },
  };

  it('are those it imports and what these need, in the versions of the lock', () => {
    const subset = packageSubset(manifest, lock, 'ingress', ['a']);
    expect(subset.manifest).toEqual({
      name: 'tributary-ingress',
      version: '1.0.0',
      private: true,
      type: 'module',
      dependencies: { a: '1.0.0' },
    });
    expect(Object.keys(subset.lock.packages)).toEqual([
      '',
      'node_modules/a',
      'node_modules/a/node_modules/shared',
      'node_modules/deep',
      'node_modules/peer',
    ]);
    expect(subset.lock.packages['node_modules/deep']).not.toHaveProperty('dev');
  });

  it.each([
    ['in package.json', ['gone'], lock, /gone is not in package\.json/],
    ['in the lock', ['a'], { ...lock, packages: { '': {} } }, /a is not in package-lock\.json/],
    [
      'where it is needed',
      ['a'],
      { ...lock, packages: { ...lock.packages, 'node_modules/deep': undefined as never } },
      /deep is not in package-lock\.json, where node_modules\/a\/node_modules\/shared needs it/,
    ],
  ])('are refused when one is not %s', (_, wanted, from, message) => {
    expect(() => packageSubset(manifest, from, 'ingress', wanted)).toThrow(message);
  });
});

it('an image that there is not is refused', () => {
  const root = folder({ 'apps/ingress/src/main.ts': '' });
  expect(() => writeTree({ root, image: 'ingres', target: root })).toThrow(
    'there is no image ingres; there are cli, ingress',
  );
});
