import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signCheckpoint } from '../checkpoint/checkpoint.js';
import { generateKey, parseSigningKey } from '../checkpoint/keys.js';
import { type LedgerRow, leafHash, rowText } from '../row.js';
import { aRow, MemoryExport, MemoryTree } from '../testing/export-world.js';
import type { Finding } from '../verify/finding.js';
import { manifestName } from './manifest.js';

const log = 'acme.example/ledger';
const trees = fc
  .record({
    firstOffset: fc.oneof(fc.constant(0), fc.nat(1_000)),
    sizes: fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 4 }),
  })
  .map(({ firstOffset, sizes }) => new MemoryTree({ log, partition: 5, firstOffset }, sizes));

/** One tree, and places in it that stay valid whatever its size is. */
const treeAndPlaces = fc.record({ tree: trees, a: fc.nat(), b: fc.nat(), column: fc.nat() });

const parse = (line: string | undefined): LedgerRow => JSON.parse(line ?? '') as LedgerRow;
const covers = (offset: number) => (finding: Finding) =>
  finding.first !== undefined && finding.first <= offset && (finding.last ?? finding.first) >= offset;
const flaws = (findings: readonly Finding[]) => [...new Set(findings.map(({ flaw }) => flaw))];

/** Some value in some column is another. */
function edited(row: LedgerRow, which: number): LedgerRow {
  const columns = Object.keys(row).filter((name) => !['audit_offset', 'audit_partition'].includes(name));
  const column = columns[which % columns.length] as string;
  const value = row[column];
  const other =
    typeof value === 'string'
      ? `${value}!`
      : typeof value === 'number'
        ? value + 1
        : Array.isArray(value)
          ? [1]
          : { x: '' };
  return { ...row, [column]: other };
}

/** Whoever has the database or the export changes a row and everything that is computed from it. */
async function rewriteRow(world: MemoryExport, place: number, which: number): Promise<void> {
  const lines = world.lines(5).map((line, i) => (i === place ? rowText(edited(parse(line), which)) : line));
  await world.setLines(5, lines);
  await world.setLeaves(
    5,
    lines.map((line) => leafHash(parse(line))),
  );
}

describe('an export that nobody touched', () => {
  it('holds, whole, from anywhere to anywhere, and of one tenant', async () => {
    await fc.assert(
      fc.asyncProperty(
        treeAndPlaces,
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        async ({ tree, a, b }, isFrom, isTo, isTenant) => {
          const from = a % (tree.rows.length + 1);
          const to = from + (b % (tree.rows.length - from + 1));
          const world = await MemoryExport.of([tree], {
            ...(isFrom && { from }),
            ...(isTo && { to: Math.max(to, isFrom ? from : 0) }),
            ...(isTenant && { tenant: 'acme' }),
          });
          const verification = await world.verify(tree.checkpoints);
          expect(verification.findings).toEqual([]);
          expect(verification.ranges[0]?.rows).toBe(world.lines(5).length);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('says what it cannot show', async () => {
    const tree = new MemoryTree({ log, partition: 5, firstOffset: 0 }, [5, 9]);
    const tenants = await (await MemoryExport.of([tree], { tenant: 'acme' })).verify();
    expect(tenants.notes.join()).toContain('left out is not');
    const window = await (await MemoryExport.of([tree], { from: 2, to: 4 })).verify();
    expect(window.notes.join()).toContain('all of that time is not shown');
    expect((await (await MemoryExport.of([tree])).verify()).notes).toEqual([]);
    const later = new MemoryTree({ log, partition: 5, firstOffset: 0 }, [5, 9, 2_000]);
    const world = await MemoryExport.of([tree]);
    world.setManifest((manifest) => ({ ...manifest, createdAt: '2026-01-01T00:00:10.000Z' }));
    const verification = await world.verify(later.checkpoints);
    expect(verification.holds).toBe(true);
    expect(verification.notes.join()).toContain('younger than this export');
  });
});

describe('tampering with the rows of an export is found, and the row named:', () => {
  const check = (
    tamper: (
      lines: string[],
      places: { a: number; b: number; column: number },
      first: number,
    ) => [string[], (findings: readonly Finding[]) => void],
    choice: { tenant?: string } = {},
  ) =>
    fc.assert(
      fc.asyncProperty(treeAndPlaces, async ({ tree, a, b, column }) => {
        const world = await MemoryExport.of([tree], choice);
        const lines = world.lines(5);
        fc.pre(lines.length > 0);
        const places = { a: a % lines.length, b: b % lines.length, column };
        const [changed, expectation] = tamper([...lines], places, tree.tree.firstOffset);
        fc.pre(changed.join('\n') !== lines.join('\n'));
        await world.setLines(5, changed);
        const { holds, findings } = await world.verify();
        expect(holds).toBe(false);
        expectation(findings);
      }),
      { numRuns: 40 },
    );
  const offsetAt = (lines: readonly string[], place: number) => Number(parse(lines[place]).audit_offset);

  it('an edit', () =>
    check((lines, { a, column }) => {
      const offset = offsetAt(lines, a);
      return [
        lines.with(a, rowText(edited(parse(lines[a]), column))),
        (findings) =>
          expect(findings).toEqual([
            expect.objectContaining({ flaw: 'altered', partition: 5, first: offset, last: offset }),
          ]),
      ];
    }));

  it('an edit in the export of one tenant', () =>
    check(
      (lines, { a, column }) => {
        const offset = offsetAt(lines, a);
        return [
          lines.with(a, rowText(edited(parse(lines[a]), column))),
          (findings) => expect(findings).toEqual([expect.objectContaining({ flaw: 'altered', first: offset })]),
        ];
      },
      { tenant: 'acme' },
    ));

  it('a deletion', () =>
    check((lines, { a }) => {
      const offset = offsetAt(lines, a);
      const flaw = a === lines.length - 1 ? 'truncated' : 'missing';
      return [
        lines.toSpliced(a, 1),
        (findings) => expect(findings).toEqual([expect.objectContaining({ flaw, first: offset, last: offset })]),
      ];
    }));

  it('a deletion that renumbers what follows', () =>
    check((lines, { a }) => {
      const offset = offsetAt(lines, a);
      const renumbered = lines.slice(a + 1).map((line) => {
        const row = parse(line);
        return rowText({ ...row, audit_offset: Number(row.audit_offset) - 1 });
      });
      return [[...lines.slice(0, a), ...renumbered], (findings) => expect(findings.some(covers(offset))).toBe(true)];
    }));

  it('an insertion of a row of its own invention', () =>
    check((lines, { a, b }) => {
      const offset = offsetAt(lines, a);
      const invented = rowText(aRow(5, offset, { reason: 'invented' }));
      return [
        lines.toSpliced(b, 0, invented),
        (findings) => expect(findings).toEqual([expect.objectContaining({ flaw: 'inserted', first: offset })]),
      ];
    }));

  it('an insertion of a row that is there already', () =>
    check((lines, { a, b }) => {
      const offset = offsetAt(lines, a);
      return [
        lines.toSpliced(b, 0, lines[a] as string),
        (findings) => {
          expect(flaws(findings)).toContain('inserted');
          expect(findings.some(covers(offset))).toBe(true);
        },
      ];
    }));

  it('an insertion of a row from beyond the end', () =>
    check((lines, { b }, first) => {
      const offset = first + lines.length;
      return [
        lines.toSpliced(b, 0, rowText(aRow(5, offset))),
        (findings) => {
          expect(flaws(findings)).toEqual(['inserted']);
          expect(findings[0]?.what).toContain(`offset ${offset}`);
        },
      ];
    }));

  it('two rows in each other’s place', () =>
    check((lines, { a, b }) => {
      const [one, two] = [lines[a] as string, lines[b] as string];
      const later = Math.max(offsetAt(lines, a), offsetAt(lines, b));
      const earlier = Math.min(offsetAt(lines, a), offsetAt(lines, b));
      return [
        lines.with(a, two).with(b, one),
        (findings) => {
          expect(flaws(findings)).toEqual(['moved']);
          expect(findings.some(covers(earlier))).toBe(true);
          expect(findings.every(({ first }) => first !== undefined && first >= earlier && first < later)).toBe(true);
        },
      ];
    }));

  it('two rows that exchanged what they say', () =>
    check((lines, { a, b }) => {
      const [one, two] = [parse(lines[a]), parse(lines[b])];
      const swapped = (row: LedgerRow, at: LedgerRow) =>
        rowText({ ...row, audit_offset: at.audit_offset ?? null, audit_id: row.audit_id ?? null });
      return [
        lines.with(a, swapped(two, one)).with(b, swapped(one, two)),
        (findings) => {
          expect(flaws(findings)).toEqual(['altered']);
          for (const row of [one, two]) expect(findings.some(covers(Number(row.audit_offset)))).toBe(true);
        },
      ];
    }));

  it('a tail that was cut off', () =>
    check((lines, { a }, first) => [
      lines.slice(0, a),
      (findings) =>
        expect(findings).toEqual([
          expect.objectContaining({ flaw: 'truncated', first: first + a, last: first + lines.length - 1 }),
        ]),
    ]));

  it('the same values written in another way', () =>
    check((lines, { a }) => {
      const offset = offsetAt(lines, a);
      return [
        // A reader that keeps the first of two equal names would see the other actor.
        lines.with(a, `{"actor":"somebody",${(lines[a] as string).slice(1)}`),
        (findings) => expect(findings).toEqual([expect.objectContaining({ flaw: 'altered', first: offset })]),
      ];
    }));

  it.each(['', 'null', '[]', '{"audit_offset":1}', '{', '\u0000', '{"audit_partition":5,"audit_offset":1e400}'])(
    'a line that is no row: %j',
    async (line) => {
      const world = await MemoryExport.of([new MemoryTree({ log, partition: 5, firstOffset: 0 }, [9])]);
      await world.setLines(5, world.lines(5).toSpliced(4, 0, line));
      expect((await world.verify()).findings).toEqual([expect.objectContaining({ flaw: 'inserted' })]);
    },
  );
});

describe('tampering with the rows and with all that is computed from them is found:', () => {
  it('an edit, between the checkpoints around it', () =>
    fc.assert(
      fc.asyncProperty(treeAndPlaces, async ({ tree, a, column }) => {
        const world = await MemoryExport.of([tree]);
        const place = a % tree.rows.length;
        await rewriteRow(world, place, column);
        const { findings } = await world.verify();
        const before = tree.checkpoints.filter(({ size }) => size <= place).at(-1)?.size ?? 0;
        const after = tree.checkpoints.find(({ size }) => size > place)?.size ?? 0;
        expect(findings).toEqual([
          expect.objectContaining({
            flaw: 'rewritten',
            first: tree.tree.firstOffset + before,
            last: tree.tree.firstOffset + after - 1,
          }),
        ]);
      }),
      { numRuns: 40 },
    ));

  it('everything rewritten under an old checkpoint', () =>
    fc.assert(
      fc.asyncProperty(treeAndPlaces, async ({ tree, a, b, column }) => {
        const old = tree.checkpoints[b % tree.checkpoints.length];
        fc.pre(old !== undefined);
        const size = old?.size ?? 0;
        const place = a % size;
        const world = await MemoryExport.of([tree], { to: size });
        await rewriteRow(world, place, column);
        world.setManifest((manifest) => ({
          ...manifest,
          query: { ...manifest.query, to: null },
          ranges: manifest.ranges.map((range) => ({ ...range, checkpoint: old?.note ?? null, right: [] })),
          checkpoints: [],
        }));
        const { findings } = await world.verify();
        expect(
          findings.some((finding) => finding.flaw === 'rewritten' && covers(tree.tree.firstOffset + place)(finding)),
        ).toBe(true);
      }),
      { numRuns: 40 },
    ));

  it('a tail cut back to an old checkpoint, by who holds a later one', () =>
    fc.assert(
      fc.asyncProperty(treeAndPlaces, async ({ tree, b }) => {
        const old = tree.checkpoints[b % tree.checkpoints.length];
        fc.pre(old !== undefined && old !== tree.checkpoints.at(-1));
        const size = old?.size ?? 0;
        const world = await MemoryExport.of([tree], { to: size });
        world.setManifest((manifest) => ({
          ...manifest,
          query: { ...manifest.query, to: null },
          ranges: manifest.ranges.map((range) => ({ ...range, checkpoint: old?.note ?? null, right: [] })),
          checkpoints: [],
        }));
        expect((await world.verify()).holds).toBe(true);
        const { findings } = await world.verify(tree.checkpoints.slice(-1));
        expect(findings).toEqual([
          expect.objectContaining({
            flaw: 'truncated',
            first: tree.tree.firstOffset + size,
            last: tree.tree.firstOffset + tree.rows.length - 1,
          }),
        ]);
      }),
      { numRuns: 40 },
    ));
});

describe('an export is refused whose', () => {
  const small = () => new MemoryTree({ log, partition: 5, firstOffset: 7 }, [4, 20]);

  it('checkpoint was signed by somebody else', async () => {
    const tree = small();
    const stranger = parseSigningKey(generateKey(log).signingKey);
    const forged = signCheckpoint(tree.checkpoints[1] as never, [stranger]);
    const world = await MemoryExport.of([tree]);
    world.setManifest((manifest) => ({
      ...manifest,
      ranges: manifest.ranges.map((range) => ({ ...range, checkpoint: forged.note })),
      checkpoints: [],
    }));
    const { findings } = await world.verify();
    expect(flaws(findings)).toContain('checkpoint');
  });

  it('checkpoint is missing', async () => {
    const world = await MemoryExport.of([small()]);
    world.setManifest((manifest) => ({
      ...manifest,
      ranges: manifest.ranges.map((range) => ({ ...range, checkpoint: null })),
      checkpoints: [],
    }));
    expect(flaws((await world.verify()).findings)).toEqual(['unsigned']);
  });

  it('checkpoint is that of another partition', async () => {
    const other = new MemoryTree({ log, partition: 6, firstOffset: 7 }, [20]);
    const world = await MemoryExport.of([small()]);
    world.setManifest((manifest) => ({
      ...manifest,
      ranges: manifest.ranges.map((range) => ({ ...range, checkpoint: other.checkpoints[0]?.note ?? null })),
      checkpoints: [],
    }));
    expect((await world.verify()).holds).toBe(false);
  });

  it('key holder told two stories', async () => {
    const tree = small();
    const other = signCheckpoint({ ...(tree.checkpoints[1] as never as object), root: Buffer.alloc(32, 1) } as never, [
      (await import('../testing/export-world.js')).signing,
    ]);
    const { findings } = await (await MemoryExport.of([tree])).verify([other]);
    expect(flaws(findings)).toContain('forked');
  });

  it('partition was left out', async () => {
    const [one, two] = [small(), new MemoryTree({ log, partition: 6, firstOffset: 0 }, [3])];
    const world = await MemoryExport.of([one, two]);
    world.setManifest((manifest) => ({ ...manifest, ranges: manifest.ranges.slice(0, 1) }));
    const { findings } = await world.verify();
    expect(findings).toEqual([expect.objectContaining({ flaw: 'missing', what: expect.stringContaining('/6/0') })]);
  });

  it.each([{ to: 2 }, { from: 1 }])('partition is not there, unless a time was asked for: %j', async (choice) => {
    const other = new MemoryTree({ log, partition: 6, firstOffset: 0 }, [3]);
    // Nothing of partition 6 is of that time, and its checkpoint comes from elsewhere.
    const world = await MemoryExport.of([small()], choice);
    const { findings, notes } = await world.verify(other.checkpoints);
    expect(findings).toEqual([]);
    expect(notes.join()).toContain('/6/0 was signed before the export was made');
  });

  it('hashes were changed though its rows are right', async () => {
    const tree = small();
    const world = await MemoryExport.of([tree]);
    await world.setLeaves(
      5,
      tree.rows.map((row, i) => (i === 3 ? Buffer.alloc(32) : leafHash(row))),
    );
    expect((await world.verify()).findings).toEqual([expect.objectContaining({ flaw: 'file' })]);
  });

  it('beginning was cut although nobody asked for that', async () => {
    const world = await MemoryExport.of([small()], { from: 3 });
    world.setManifest((manifest) => ({ ...manifest, query: { ...manifest.query, from: null } }));
    expect((await world.verify()).findings).toEqual([expect.objectContaining({ flaw: 'missing', first: 7, last: 9 })]);
  });

  it('end was cut although nobody asked for that', async () => {
    const world = await MemoryExport.of([small()], { to: 12 });
    world.setManifest((manifest) => ({ ...manifest, query: { ...manifest.query, to: null } }));
    expect((await world.verify()).findings).toEqual([
      expect.objectContaining({ flaw: 'truncated', first: 19, last: 26 }),
    ]);
  });

  it.each([
    ['a file is gone', (world: MemoryExport) => void world.contents.delete('rows-5.ndjson')],
    ['a file of hashes is gone', (world: MemoryExport) => void world.contents.delete('leaves-5.bin')],
    ['a file of hashes was cut', (world: MemoryExport) => void world.contents.set('leaves-5.bin', Buffer.alloc(33))],
    ['the manifest is gone', (world: MemoryExport) => void world.contents.delete(manifestName)],
    ['the manifest is no JSON', (world: MemoryExport) => void world.contents.set(manifestName, Buffer.from('{'))],
    [
      'the manifest is something else',
      (world: MemoryExport) => void world.contents.set(manifestName, Buffer.from('{}')),
    ],
    [
      'the manifest leads out of the folder',
      (world: MemoryExport) =>
        world.setManifest((m) => ({ ...m, files: m.files.map((f) => ({ ...f, name: '../../etc/passwd' })) })),
    ],
    [
      'the left hashes are not those of any tree',
      (world: MemoryExport) =>
        world.setManifest((m) => ({ ...m, ranges: m.ranges.map((r) => ({ ...r, left: Buffer.alloc(5) })) })),
    ],
    ['there is nothing in it', (world: MemoryExport) => world.setManifest((m) => ({ ...m, ranges: [], files: [] }))],
    [
      'a row was changed and the digest not',
      (world: MemoryExport) => {
        const lines = world.lines(5).toSpliced(3, 1);
        world.contents.set('rows-5.ndjson', Buffer.from(`${lines.join('\n')}\n`));
      },
    ],
  ])('%s', async (_, tamper) => {
    const world = await MemoryExport.of([small()]);
    tamper(world);
    const { holds, findings } = await world.verify();
    expect(holds).toBe(false);
    expect(findings.length).toBeGreaterThan(0);
  });
});
