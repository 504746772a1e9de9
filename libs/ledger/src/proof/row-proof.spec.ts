import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Checkpoint, signCheckpoint } from '../checkpoint/checkpoint.js';
import { generateKey, parseSigningKey, parseVerifyingKey } from '../checkpoint/keys.js';
import { rowText } from '../row.js';
import { aRow, MemoryTree, signing, verifying } from '../testing/export-world.js';
import { makeRowProof, type RowProof, writeRowProof } from './row-proof.js';
import { verifyRowProof } from './verify-row-proof.js';

const sizes = [1, 2, 3, 7, 8, 255, 256, 257, 300, 601];
const world = new MemoryTree({ log: 'acme', partition: 5, firstOffset: 7 }, sizes);
const headOf = (size: number): Checkpoint => world.checkpoints.find((one) => one.size === size) as Checkpoint;

const proofOf = (index: number, size: number, before?: number): Promise<RowProof> =>
  makeRowProof(
    {
      row: rowText(world.rows[index] as (typeof world.rows)[number]),
      index,
      checkpoint: headOf(size),
      earlier: before === undefined ? undefined : headOf(before),
    },
    world.rootOf,
  );

const verify = (proof: RowProof, checkpoints: readonly string[] = []) =>
  verifyRowProof({ bytes: Buffer.from(writeRowProof(proof), 'utf8'), keys: [verifying], checkpoints });
const verifyText = (text: string) => verifyRowProof({ bytes: Buffer.from(text, 'utf8'), keys: [verifying] });
const flawsOf = (proof: RowProof): string[] => verify(proof).findings.map(({ flaw }) => flaw);

const anyProof = fc
  .record({ size: fc.constantFrom(...sizes), at: fc.nat(), before: fc.option(fc.constantFrom(...sizes)) })
  .map(({ size, at, before }) => ({
    index: at % size,
    size,
    before: before === null ? undefined : Math.min(before, size),
  }));

/** One bit of one byte is turned. */
const turned = (text: string, at: number, bit: number): string =>
  turnedBytes(Buffer.from(text, 'utf8'), at, bit).toString('utf8');
const turnedBytes = (bytes: Buffer, at: number, bit: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ (1 << bit);
  return copy;
};
const bits = fc.nat(7);

describe('the proof of a row', () => {
  it('holds for each row under each checkpoint that has it, and with each checkpoint from before', async () => {
    await fc.assert(
      fc.asyncProperty(anyProof, async ({ index, size, before }) => {
        const result = verify(await proofOf(index, size, before));
        expect(result.findings).toEqual([]);
        expect(result).toMatchObject({
          holds: true,
          proof: { index, size, tree: world.tree },
          signedAt: new Date(headOf(size).signedAtMs).toISOString(),
          earlier: before === undefined ? null : { size: before },
        });
      }),
    );
  });

  it('does not hold when any bit of its file was turned', async () => {
    await fc.assert(
      fc.asyncProperty(anyProof, fc.nat(), bits, async ({ index, size, before }, at, bit) => {
        const bytes = Buffer.from(writeRowProof(await proofOf(index, size, before)), 'utf8');
        expect(verifyRowProof({ bytes: turnedBytes(bytes, at, bit), keys: [verifying] }).holds).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('does not hold when any byte of it was changed by somebody who writes the file anew', async () => {
    await fc.assert(
      fc.asyncProperty(anyProof, fc.nat(), bits, fc.nat(), async ({ index, size, before }, at, bit, which) => {
        const proof = await proofOf(index, size, before);
        const wrong: RowProof[] = [
          { ...proof, row: turned(proof.row, at, bit) },
          { ...proof, checkpoint: turned(proof.checkpoint, at, bit) },
          { ...proof, index: proof.index + 1 + (which % 700) },
          { ...proof, index: which % Math.max(1, proof.index) },
          { ...proof, size: proof.size + 1 + (which % 700) },
          { ...proof, size: which % proof.size },
          { ...proof, tree: { ...proof.tree, partition: 6 } },
          { ...proof, tree: { ...proof.tree, firstOffset: 8 } },
          { ...proof, tree: { ...proof.tree, log: 'acne' } },
          { ...proof, path: [...proof.path, Buffer.alloc(32, 7)] },
        ];
        if (proof.path.length > 0) {
          const place = which % proof.path.length;
          const hash = turnedBytes(proof.path[place] as Buffer, at, bit);
          wrong.push(
            { ...proof, path: proof.path.with(place, hash) },
            { ...proof, path: proof.path.toSpliced(place, 1) },
          );
        }
        if (proof.earlier) {
          const { checkpoint, path } = proof.earlier;
          wrong.push({ ...proof, earlier: { checkpoint: turned(checkpoint, at, bit), path } });
          wrong.push({ ...proof, earlier: { checkpoint, path: [...path, Buffer.alloc(32, 7)] } });
          if (path.length > 0) {
            const place = which % path.length;
            const hash = turnedBytes(path[place] as Buffer, at, bit);
            wrong.push({ ...proof, earlier: { checkpoint, path: path.with(place, hash) } });
            wrong.push({ ...proof, earlier: { checkpoint, path: path.toSpliced(place, 1) } });
          }
        }
        for (const one of wrong) {
          if (writeRowProof(one) === writeRowProof(proof)) continue;
          expect([writeRowProof(one), verify(one).holds]).toEqual([writeRowProof(one), false]);
        }
      }),
    );
  });

  it('does not hold for a row that was never there, whatever its place', async () => {
    const proof = await proofOf(41, 300);
    const row = rowText(aRow(5, 48, { outcome: 'rejected' }));
    expect(verify({ ...proof, row }).findings).toEqual([
      expect.objectContaining({ flaw: 'altered', partition: 5, first: 48, last: 48 }),
    ]);
  });

  it.each<[string, (proof: RowProof) => RowProof | Promise<RowProof>, string]>([
    [
      'another row with its own path',
      async ({ checkpoint }) => ({ ...(await proofOf(8, 300)), index: 41, checkpoint }),
      'moved',
    ],
    ['the checkpoint of another size', (proof) => ({ ...proof, checkpoint: headOf(257).note }), 'checkpoint'],
    ['an index beyond its checkpoint', (proof) => ({ ...proof, index: 300 }), 'unsigned'],
    [
      'a row in another order',
      (proof) => ({ ...proof, row: proof.row.replace(/^\{("action":"settled"),(.*)\}$/, '{$2,$1}') }),
      'altered',
    ],
    [
      'a row with half a character in it',
      (proof) => ({ ...proof, row: proof.row.replace('connector', '\ud800') }),
      'altered',
    ],
    ['a row of another partition', (proof) => ({ ...proof, row: rowText(aRow(6, 48)) }), 'moved'],
    ['no row', (proof) => ({ ...proof, row: 'null' }), 'altered'],
    ['no signed note', (proof) => ({ ...proof, checkpoint: 'hello' }), 'checkpoint'],
    [
      'an earlier checkpoint that is later',
      async (proof) => ({ ...proof, earlier: { checkpoint: headOf(601).note, path: [] } }),
      'rewritten',
    ],
    [
      'an earlier checkpoint of nothing shown',
      (proof) => ({ ...proof, earlier: { checkpoint: headOf(257).note, path: [] } }),
      'rewritten',
    ],
  ])('names what is wrong with %s', async (_, change, flaw) => {
    expect(flawsOf(await change(await proofOf(41, 300)))).toContain(flaw);
  });

  it('names an earlier checkpoint of another tree', async () => {
    const other = new MemoryTree({ log: 'acme', partition: 6, firstOffset: 7 }, [20]).checkpoints[0] as Checkpoint;
    const proof = { ...(await proofOf(41, 300)), earlier: { checkpoint: other.note, path: [] } };
    expect(verify(proof).findings).toEqual([
      expect.objectContaining({ flaw: 'checkpoint', what: expect.stringContaining('acme/6/7') }),
    ]);
  });

  it('names an earlier checkpoint that the ledger was rewritten after', async () => {
    const proof = await proofOf(41, 300, 257);
    const head = { ...headOf(257), root: Buffer.alloc(32, 7) };
    const checkpoint = signCheckpoint(head, [signing]).note;
    expect(flawsOf({ ...proof, earlier: { checkpoint, path: proof.earlier?.path ?? [] } })).toEqual(['rewritten']);
  });

  it('names a kept checkpoint that tells another story, and counts those it cannot speak about', async () => {
    const proof = await proofOf(41, 300);
    expect(verify(proof, [headOf(300).note])).toMatchObject({ holds: true, notes: [] });
    expect(verify(proof, [headOf(257).note])).toMatchObject({
      holds: true,
      notes: [expect.stringContaining('1 of the')],
    });
    const forked = signCheckpoint({ ...headOf(300), root: Buffer.alloc(32, 7) }, [signing]).note;
    expect(verify(proof, [forked]).findings.map(({ flaw }) => flaw)).toEqual(['forked']);
    expect(verify(proof, ['hello']).findings.map(({ flaw }) => flaw)).toEqual(['checkpoint']);
  });

  it('does not hold under the key of somebody else', async () => {
    const other = generateKey('acme.example/ledger');
    const result = verifyRowProof({
      bytes: Buffer.from(writeRowProof(await proofOf(41, 300, 257)), 'utf8'),
      keys: [parseVerifyingKey(other.verifyingKey)],
    });
    expect(result.findings.map(({ flaw }) => flaw)).toEqual(['checkpoint', 'checkpoint']);
    const forged = signCheckpoint(headOf(300), [parseSigningKey(other.signingKey)]).note;
    expect(flawsOf({ ...(await proofOf(41, 300)), checkpoint: forged })).toEqual(['checkpoint']);
  });
});

describe('a file that is no proof', () => {
  it.each([
    ['nothing', ''],
    ['no JSON', 'hello'],
    ['null', 'null'],
    ['a list', '[]'],
    ['another format', '{"format":"tributary-ledger-export/1"}'],
    ['only a format', '{"format":"tributary-ledger-proof/1"}'],
  ])('is refused: %s', (_, text) => {
    expect(verifyText(text)).toMatchObject({ holds: false, proof: undefined, findings: [{ flaw: 'file' }] });
  });

  it.each<[string, (text: string) => string]>([
    ['a member twice, of which a person reads the first', (text) => text.replace('"row":', '"row": "{}",\n  "row":')],
    ['a member more', (text) => text.replace('"row":', '"seenBy": "the auditors",\n  "row":')],
    ['a hash that is too short', (text) => text.replace(/("path": \[\s+")[^"]+/, '$1AAAA')],
    ['a negative index', (text) => text.replace(/"index": \d+/, '"index": -1')],
    ['a tree without a name', (text) => text.replace('acme/5/7', 'acme')],
    ['a row that is no text', (text) => text.replace(/"row": .*/, '"row": {},')],
    [
      'an earlier checkpoint that is no text',
      (text) => text.replace(/"earlier": \{\s+"checkpoint": .*/, '"earlier": {"checkpoint": 1,'),
    ],
  ])('is refused: %s', async (_, change) => {
    const text = writeRowProof(await proofOf(41, 300, 257));
    expect(change(text)).not.toBe(text);
    expect(verifyText(change(text))).toMatchObject({ holds: false, findings: [{ flaw: 'file' }] });
  });

  it('is refused: a path longer than that of any tree', async () => {
    const proof = await proofOf(41, 300);
    const path = Array.from({ length: 200 }, () => Buffer.alloc(32, 7));
    expect(flawsOf({ ...proof, path })).toEqual(['file']);
  });

  it('is refused: bytes that are no UTF-8, which reads as something else', async () => {
    const bytes = Buffer.from(writeRowProof(await proofOf(41, 300)), 'utf8');
    bytes[bytes.indexOf('connector')] = 0xff;
    const { findings } = verifyRowProof({ bytes, keys: [verifying] });
    expect(findings.map(({ flaw }) => flaw)).toEqual(['file']);
  });
});
