import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Kind, scaffold } from './scaffold.js';

function workspace(): string {
  const root = mkdtempSync(join(tmpdir(), 'scaffold-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const folder of ['sources', 'destinations']) mkdirSync(join(root, 'libs', folder), { recursive: true });
  return root;
}

it.each<[Kind]>([['source'], ['destination']])('a new %s has every word filled in and is registered', async (kind) => {
  const root = workspace();
  const files = await scaffold({ kind, vendor: 'acme-crm', root });
  expect(files).toContain(`libs/${kind}s/acme-crm/acme-crm.spec.ts`);
  for (const file of files) expect(readFileSync(join(root, file), 'utf8')).not.toMatch(/__\w+__/);
  const registry = readFileSync(join(root, `libs/registry/src/generated/${kind}s.ts`), 'utf8');
  expect(registry).toContain(`import { acmeCrm as acmeCrm${kind === 'source' ? 'Source' : 'Destination'} }`);
});

it('a second one of the same name is refused and changes nothing', async () => {
  const root = workspace();
  await scaffold({ kind: 'source', vendor: 'acme', root });
  await expect(scaffold({ kind: 'source', vendor: 'acme', root })).rejects.toThrow(/exists already/);
});

it.each(['', '..', '../x', 'Acme', 'a b', '-a', 'a-', 'a/b', '1a', 'x'.repeat(41)])(
  'the name %j is refused',
  async (vendor) => {
    await expect(scaffold({ kind: 'source', vendor, root: workspace() })).rejects.toThrow(/is no name/);
  },
);
