import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRowProof, rowText, writeRowProof } from '@tributary/ledger';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryExport, MemoryTree, verifying } from '../../libs/ledger/src/testing/export-world.js';

const repository = join(import.meta.dirname, '../..');

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'tributary-audit-'));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

/** Runs the command line as an auditor would: without any address or secret of ours. */
function tributary(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  const command = [join(repository, 'dist/tools/cli/main.js'), ...args];
  const environment = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' };
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: repository, env: environment }, (failure, out, error) => {
      resolve({ code: failure ? Number(failure.code) : 0, out, error });
    });
  });
}

async function anExport(tamper: (world: MemoryExport) => Promise<void> = async () => undefined): Promise<string[]> {
  const world = await MemoryExport.of([new MemoryTree({ log: 'acme', partition: 5, firstOffset: 7 }, [20, 300])]);
  await tamper(world);
  const at = folder();
  for (const [name, bytes] of world.contents) writeFileSync(join(at, name), bytes);
  const key = join(folder(), 'key.pub');
  writeFileSync(key, `${verifying.text}\n`);
  return [at, '--public-key', key];
}

describe('tributary audit verify', () => {
  it('needs the export and the public key, and nothing else', async () => {
    const { code, out, error } = await tributary('audit', 'verify', ...(await anExport()));
    expect({ code, error }).toEqual({ code: 0, error: '' });
    expect(out).toContain('partition 5: 300 rows of offsets 7 to 306, signed at');
    expect(out).toContain('✓ the export is what was signed');
  });

  it('exits with 1 and names the row that was edited', async () => {
    const args = await anExport(async (world) => {
      await world.setLines(
        5,
        world.lines(5).map((line, i) => (i === 40 ? line.replace('connector/1', 'connector/2') : line)),
      );
    });
    const { code, out } = await tributary('audit', 'verify', ...args);
    expect(code).toBe(1);
    expect(out).toContain('✗ altered: partition 5: the row at offset 47 (line 41)');
    const json = await tributary('audit', 'verify', ...args, '--json');
    expect(JSON.parse(json.out)).toMatchObject({ holds: false, findings: [{ flaw: 'altered', first: 47 }] });
  });

  it('takes checkpoints from a copied bucket, and finds an export that was made from an older one', async () => {
    const { tree, checkpoints } = new MemoryTree({ log: 'acme', partition: 5, firstOffset: 7 }, [20, 300, 400]);
    const bucket = folder();
    const at = join(bucket, tree.log, '000005');
    mkdirSync(at, { recursive: true });
    const keep = (notes: typeof checkpoints) => {
      for (const { size, note } of notes) writeFileSync(join(at, `${size}.note`), note);
    };
    const args = await anExport();
    const empty = await tributary('audit', 'verify', ...args, '--checkpoints', bucket);
    expect(empty).toMatchObject({ code: 1, error: expect.stringContaining('no file in it ends with .note') });
    keep(checkpoints.slice(0, 2));
    expect((await tributary('audit', 'verify', ...args, '--checkpoints', bucket)).code).toBe(0);
    keep(checkpoints);
    const { code, out } = await tributary('audit', 'verify', ...args, '--checkpoints', bucket);
    expect(code).toBe(1);
    expect(out).toContain('✗ truncated: partition 5: 400 rows had been signed');
  });

  it('holds the proof of a row as well, and names what was changed in it', async () => {
    const world = new MemoryTree({ log: 'acme', partition: 5, firstOffset: 7 }, [20, 300]);
    const [earlier, checkpoint] = world.checkpoints;
    const row = world.rows[40];
    if (!earlier || !checkpoint || !row) throw new Error('the ledger in memory has too few rows');
    const proof = await makeRowProof({ row: rowText(row), index: 40, checkpoint, earlier }, world.rootOf);
    const at = folder();
    const [file, key] = [join(at, 'proof.json'), join(at, 'key.pub')];
    writeFileSync(key, `${verifying.text}\n`);
    const verify = (text: string, ...more: string[]) => {
      writeFileSync(file, text);
      return tributary('audit', 'verify', '--proof', file, '--public-key', key, ...more);
    };
    const text = writeRowProof(proof);
    const { code, out, error } = await verify(text);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    expect(out).toContain('offset 47 of partition 5: row 40 of the 300 rows of acme/5/7, signed at');
    expect(out).toContain('grown out of the 20 rows signed at');
    expect(out).toContain(proof.row);
    const edited = await verify(text.replace('connector/1', 'connector/2'));
    expect(edited).toMatchObject({
      code: 1,
      out: expect.stringContaining('✗ altered: partition 5: the row, its index'),
    });
    const json = await verify(text.replace('"index": 40', '"index": 41'), '--json');
    expect(JSON.parse(json.out)).toMatchObject({ holds: false, findings: [{ flaw: 'moved' }, { flaw: 'altered' }] });
    expect(await verify('hello')).toMatchObject({ code: 1, out: expect.stringContaining('✗ file: it is not a proof') });
    const both = await tributary('audit', 'verify', at, '--proof', file, '--public-key', key);
    expect(both).toMatchObject({ code: 1, error: expect.stringContaining('give one of a folder, --proof') });
  });

  it.each([
    ['no folder', () => ['--public-key', join(repository, 'package.json')], 'name the folder of an export'],
    ['a file that is no key', () => [folder(), '--public-key', join(repository, '.npmrc')], 'a public key is written'],
    ['a key that is not there', () => [folder(), '--public-key', '/nowhere/key.pub'], 'ENOENT'],
  ])('says what is wrong with %s', async (_, args, message) => {
    const { code, error } = await tributary('audit', 'verify', ...args());
    expect(code).toBe(1);
    expect(error).toContain(message);
    expect(error).not.toContain('    at ');
  });
});

describe('tributary audit new-key', () => {
  it('writes a key that only its owner can read, and never over another', async () => {
    const out = join(folder(), 'key');
    const made = await tributary('audit', 'new-key', 'acme.example/ledger', '--out', out);
    expect(made.code).toBe(0);
    expect(made.out).toBe(readFileSync(`${out}.pub`, 'utf8'));
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const before = readFileSync(out, 'utf8');
    const again = await tributary('audit', 'new-key', 'acme.example/ledger', '--out', out);
    expect(again.code).toBe(1);
    expect(again.error).toContain('no key was written');
    expect(readFileSync(out, 'utf8')).toBe(before);
  });
});
