import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Frontier } from './frontier.js';
import { consistencyProof, includes, inclusionProof, isConsistent } from './proofs.js';
import { isStoredLevel, type ReadNodes, rangeRoots, subtreesOf, TreeIncomplete } from './stored-tree.js';

const sha = (...parts: Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
const leafOf = (data: Buffer): Buffer => sha(Buffer.of(0), data);
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** The definition in RFC 6962, 2.1, word for word: what the clever ways are held against. */
function definition(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha();
  if (leaves.length === 1) return leaves[0] as Buffer;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha(Buffer.of(1), definition(leaves.slice(0, k)), definition(leaves.slice(k)));
}

const leavesOf = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, i) => leafOf(Buffer.from(`leaf ${i}`, 'utf8')));

/** A tree as it is kept: leaves, and the roots of every 2^8, 2^16, ... of them. */
function stored(leaves: readonly Buffer[]): { frontier: Frontier; read: ReadNodes } {
  const levels = new Map<number, Buffer[]>([[0, [...leaves]]]);
  const frontier = Frontier.empty();
  for (const leaf of leaves) {
    frontier.append(leaf, (level, index, hash) => {
      if (!isStoredLevel(level)) return;
      const row = levels.get(level) ?? [];
      expect(index).toBe(row.length);
      levels.set(level, [...row, hash]);
    });
  }
  return { frontier, read: async (level, from, to) => (levels.get(level) ?? []).slice(from, to) };
}

// The vectors of the reference implementations of certificate transparency.
const referenceLeaves = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((data) => leafOf(hex(data)));
const referenceRoots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const h96a = '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7';
const h5f0 = '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e';
const h6b4 = '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4';
const hbc1 = 'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b';
const hca8 = 'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0';
const hd37 = 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7';
const hfac = 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125';
const h6e3 = '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d';
const h0eb = '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a';
const hb08 = 'b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f';

const hexOf = (hashes: readonly Buffer[]): string[] => hashes.map((hash) => hash.toString('hex'));

describe('the reference vectors of RFC 6962', () => {
  it('have our roots', () => {
    const frontier = Frontier.empty();
    const roots = [frontier.root().toString('hex')];
    for (const leaf of referenceLeaves) {
      frontier.append(leaf);
      roots.push(frontier.root().toString('hex'));
    }
    expect(roots).toEqual(referenceRoots);
  });

  it.each([
    [0, 1, []],
    [0, 8, [h96a, h5f0, h6b4]],
    [5, 8, [hbc1, hca8, hd37]],
    [2, 3, [hfac]],
    [1, 5, [h6e3, h5f0, hbc1]],
  ])('have our inclusion proof of leaf %i in %i', async (index, size, expected) => {
    const { read } = stored(referenceLeaves);
    const proof = await inclusionProof(index, size, rangeRoots(read));
    expect(hexOf(proof)).toEqual(expected);
    const leaf = referenceLeaves[index] as Buffer;
    expect(includes({ leaf, index, size, root: hex(referenceRoots[size] as string), proof })).toBe(true);
  });

  it.each([
    [1, 1, []],
    [1, 8, [h96a, h5f0, h6b4]],
    [6, 8, [h0eb, hca8, hd37]],
    [2, 5, [h5f0, hbc1]],
    [6, 7, [h0eb, hb08, hd37]],
  ])('have our consistency proof of %i and %i', async (before, size, expected) => {
    const { read } = stored(referenceLeaves);
    const proof = await consistencyProof(before, size, rangeRoots(read));
    expect(hexOf(proof)).toEqual(expected);
    const [rootBefore, root] = [hex(referenceRoots[before] as string), hex(referenceRoots[size] as string)];
    expect(isConsistent({ before, size, rootBefore, root, proof })).toBe(true);
  });
});

describe('a tree of any size', () => {
  it('has the root of the definition, and the same frontier after it was stored', () => {
    fc.assert(
      fc.property(fc.nat(700), fc.nat(700), (first, second) => {
        const leaves = leavesOf(first + second);
        const { frontier } = stored(leaves.slice(0, first));
        const resumed = Frontier.of(frontier.size, frontier.toBytes());
        for (const leaf of leaves.slice(first)) resumed.append(leaf);
        expect(resumed.root()).toEqual(definition(leaves));
      }),
      { numRuns: 50 },
    );
  });

  it('can be appended to by whole subtrees', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), (first, second) => {
        const leaves = leavesOf(first + second);
        const { frontier } = stored(leaves.slice(0, first));
        for (const { level, index } of subtreesOf(first, first + second)) {
          frontier.appendSubtree(level, definition(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)));
        }
        expect(frontier.size).toBe(first + second);
        expect(frontier.root()).toEqual(definition(leaves));
      }),
      { numRuns: 50 },
    );
  });

  it('proves each of its leaves, and none at another place', async () => {
    const most = 600;
    const leaves = leavesOf(most);
    const { read } = stored(leaves);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: most }), fc.nat(), fc.nat(), async (size, at, otherAt) => {
        const [index, other] = [at % size, otherAt % size];
        const root = definition(leaves.slice(0, size));
        const proof = await inclusionProof(index, size, rangeRoots(read));
        const leaf = leaves[index] as Buffer;
        expect(includes({ leaf, index, size, root, proof })).toBe(true);
        expect(includes({ leaf, index: other, size, root, proof })).toBe(other === index);
        expect(includes({ leaf: leaves[other] as Buffer, index, size, root, proof })).toBe(other === index);
      }),
    );
  });

  it('proves that it grew out of each smaller one', async () => {
    const most = 600;
    const leaves = leavesOf(most);
    const { read } = stored(leaves);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: most }), fc.nat(), async (size, at) => {
        const before = at % (size + 1);
        const [rootBefore, root] = [definition(leaves.slice(0, before)), definition(leaves.slice(0, size))];
        const proof = await consistencyProof(before, size, rangeRoots(read));
        expect(isConsistent({ before, size, rootBefore, root, proof })).toBe(true);
        if (before === 0) return;
        const forged = leafOf(Buffer.from('another tree'));
        expect(isConsistent({ before, size, rootBefore: forged, root, proof })).toBe(false);
        expect(isConsistent({ before, size, rootBefore, root: forged, proof })).toBe(false);
      }),
    );
  });

  it('needs no more than 2^8 hashes for each step of a proof', async () => {
    const leaves = leavesOf(70_000);
    const { read, frontier } = stored(leaves.slice(0, 70_000));
    let most = 0;
    const counting: ReadNodes = async (level, from, to) => {
      most = Math.max(most, to - from);
      return read(level, from, to);
    };
    const proof = await inclusionProof(12_345, 70_000, rangeRoots(counting));
    expect(
      includes({ leaf: leaves[12_345] as Buffer, index: 12_345, size: 70_000, root: frontier.root(), proof }),
    ).toBe(true);
    expect(most).toBeLessThanOrEqual(128);
  });

  it('beyond 2^32 leaves counts right', () => {
    const root = leafOf(Buffer.from('a very large subtree'));
    const frontier = Frontier.empty();
    frontier.appendSubtree(40, root);
    frontier.appendSubtree(33, root);
    frontier.append(root);
    expect(frontier.size).toBe(2 ** 40 + 2 ** 33 + 1);
    expect(Frontier.of(frontier.size, frontier.toBytes()).root()).toEqual(frontier.root());
    expect(subtreesOf(2 ** 40, frontier.size).map(({ level }) => level)).toEqual([33, 0]);
  });

  it('says so when what is stored of it is not all there', async () => {
    const { read } = stored(leavesOf(600));
    const holed: ReadNodes = async (level, from, to) => (level === 8 ? [] : read(level, from, to));
    await expect(inclusionProof(599, 600, rangeRoots(holed))).rejects.toThrow(TreeIncomplete);
  });
});

describe('proofs that are wrong', () => {
  const size = 13;
  const leaves = leavesOf(size);
  const { read } = stored(leaves);
  const root = definition(leaves);
  const garbage = leafOf(Buffer.from('garbage'));

  const broken = (proof: readonly Buffer[]): [string, readonly Buffer[]][] => [
    ['with one hash more', [...proof, garbage]],
    ['with one hash before', [garbage, ...proof]],
    ['with the root behind', [...proof, root]],
    ['with an empty hash', [...proof, Buffer.alloc(0)]],
    ['without the last', proof.slice(0, -1)],
    ['without the first', proof.slice(1)],
    ['without any', []],
    ...proof.map((_, i): [string, readonly Buffer[]] => [`with hash ${i} turned`, proof.with(i, turned(proof[i]))]),
  ];
  const turned = (hash: Buffer | undefined): Buffer => {
    const copy = Buffer.from(hash ?? garbage);
    copy[0] = (copy[0] ?? 0) ^ 8;
    return copy;
  };

  it('are refused as inclusion proofs', async () => {
    for (const index of leaves.keys()) {
      const proof = await inclusionProof(index, size, rangeRoots(read));
      for (const [how, wrong] of broken(proof)) {
        expect([how, includes({ leaf: leaves[index] as Buffer, index, size, root, proof: wrong })]).toEqual([
          how,
          false,
        ]);
      }
    }
  });

  it('are refused as consistency proofs', async () => {
    for (let before = 1; before < size; before++) {
      const rootBefore = definition(leaves.slice(0, before));
      const proof = await consistencyProof(before, size, rangeRoots(read));
      for (const [how, wrong] of broken(proof)) {
        expect([how, before, isConsistent({ before, size, rootBefore, root, proof: wrong })]).toEqual([
          how,
          before,
          false,
        ]);
      }
    }
  });

  it.each([
    [-1, 13],
    [13, 13],
    [0, 0],
    [0.5, 13],
    [Number.NaN, 13],
    [0, Number.POSITIVE_INFINITY],
  ])('are refused for leaf %d of %d', (index, count) => {
    expect(includes({ leaf: leaves[0] as Buffer, index, size: count, root: leaves[0] as Buffer, proof: [] })).toBe(
      false,
    );
  });

  it.each([
    [2, 1],
    [-1, 1],
    [0.5, 1],
  ])('are refused for growth from %d to %d', (before, after) => {
    expect(isConsistent({ before, size: after, rootBefore: root, root, proof: [] })).toBe(false);
  });

  it.each([
    [1, Buffer.alloc(31)],
    [3, Buffer.alloc(32)],
    [-1, Buffer.alloc(0)],
    [2 ** 53, Buffer.alloc(32)],
  ])('a frontier of %d leaves that cannot be is refused', (count, hashes) => {
    expect(() => Frontier.of(count, hashes)).toThrow('does not have a frontier');
  });
});
