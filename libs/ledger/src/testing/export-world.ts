import { type Checkpoint, signCheckpoint, type TreeName } from '../checkpoint/checkpoint.js';
import { generateKey, parseSigningKey, parseVerifyingKey } from '../checkpoint/keys.js';
import type { ExportFiles } from '../export/export-files.js';
import { type ExportManifest, manifestName, readManifest, writeManifest } from '../export/manifest.js';
import { verifyExport } from '../export/verify-export.js';
import { ExportFileWriter, type ExportSink, putManifest, rangeProof } from '../export/write-export.js';
import { Frontier } from '../merkle/frontier.js';
import { isStoredLevel, rangeRoots } from '../merkle/stored-tree.js';
import { type LedgerRow, leafHash, rowText } from '../row.js';

const keyPair = generateKey('acme.example/ledger');
export const signing = parseSigningKey(keyPair.signingKey);
export const verifying = parseVerifyingKey(keyPair.verifyingKey);

const start = Date.UTC(2026, 0, 1);
export const timeOfOffset = (offset: number): number => start + offset * 1000;

export const aRow = (partition: number, offset: number, over: LedgerRow = {}): LedgerRow => ({
  action: 'settled',
  actor: 'connector/1',
  audit_id: `id-${partition}-${offset}`,
  audit_offset: offset,
  audit_partition: partition,
  deliveries: [],
  details: { '10': 'b', '9': 'a' },
  outcome: 'delivered',
  recorded_at: timeOfOffset(offset),
  tenant: offset % 3 === 0 ? 'other' : 'acme',
  ...over,
});

/** A ledger's partition in memory, with a checkpoint after each of some sizes. */
export class MemoryTree {
  readonly rows: LedgerRow[] = [];
  readonly checkpoints: Checkpoint[] = [];
  private readonly frontier = Frontier.empty();
  private readonly levels = new Map<number, Buffer[]>();

  constructor(
    readonly tree: TreeName,
    sizes: readonly number[],
  ) {
    for (const size of [...new Set(sizes)].sort((a, b) => a - b)) {
      while (this.rows.length < size) this.append(aRow(tree.partition, tree.firstOffset + this.rows.length));
      this.sign();
    }
  }

  private append(row: LedgerRow): void {
    this.rows.push(row);
    const leaf = leafHash(row);
    this.frontier.append(leaf, (level, _, hash) => {
      if (level === 0 || isStoredLevel(level)) this.levels.set(level, [...(this.levels.get(level) ?? []), hash]);
    });
  }

  private sign(): void {
    const size = this.rows.length;
    const signedAtMs = timeOfOffset(this.tree.firstOffset + size);
    this.checkpoints.push(signCheckpoint({ tree: this.tree, size, root: this.frontier.root(), signedAtMs }, [signing]));
  }

  readonly rootOf = rangeRoots(async (level, from, to) => (this.levels.get(level) ?? []).slice(from, to));
}

export interface Choice {
  /** Places in the tree. */
  readonly from?: number;
  readonly to?: number;
  readonly tenant?: string;
}

/** An export in memory, which a test can tamper with. */
export class MemoryExport {
  readonly contents = new Map<string, Buffer>();

  static async of(trees: readonly MemoryTree[], choice: Choice = {}): Promise<MemoryExport> {
    const made = new MemoryExport();
    const sink = made.sink();
    const files: ExportManifest['files'][number][] = [];
    const ranges: ExportManifest['ranges'][number][] = [];
    for (const one of trees) {
      const { tree } = one;
      const checkpoint = one.checkpoints.at(-1);
      const [begin, end] = [choice.from ?? 0, Math.min(choice.to ?? one.rows.length, one.rows.length)];
      const rows = await ExportFileWriter.open(sink, `rows-${tree.partition}.ndjson`);
      const leaves = await ExportFileWriter.open(sink, `leaves-${tree.partition}.bin`);
      for (const row of one.rows.slice(begin, end)) {
        await leaves.write(leafHash(row));
        if (choice.tenant !== undefined && row.tenant !== choice.tenant) continue;
        await rows.write(Buffer.from(`${rowText(row)}\n`, 'utf8'));
        rows.rows += 1;
      }
      const range = { tree, from: tree.firstOffset + begin, to: tree.firstOffset + end };
      ranges.push({
        ...range,
        ...(await rangeProof(range, checkpoint, one.rootOf)),
        rows: rows.rows,
        rowsFile: rows.name,
        leavesFile: leaves.name,
        checkpoint: checkpoint?.note ?? null,
      });
      files.push(await rows.close(), await leaves.close());
    }
    await putManifest(sink, {
      createdAt: new Date(timeOfOffset(1_000_000)).toISOString(),
      createdBy: 'spec',
      rowFormat: 'ndjson',
      query: {
        from: choice.from === undefined ? null : new Date(timeOfOffset(choice.from)).toISOString(),
        to: choice.to === undefined ? null : new Date(timeOfOffset(choice.to)).toISOString(),
        tenant: choice.tenant ?? null,
      },
      rows: ranges.reduce((sum, { rows }) => sum + rows, 0),
      files,
      ranges,
      checkpoints: trees.flatMap(({ checkpoints }) => checkpoints.map(({ note }) => note)),
    });
    return made;
  }

  sink(): ExportSink {
    return {
      open: async (name) => {
        const parts: Uint8Array[] = [];
        return {
          write: async (bytes) => void parts.push(Uint8Array.from(bytes)),
          close: async () => void this.contents.set(name, Buffer.concat(parts)),
        };
      },
    };
  }

  get files(): ExportFiles {
    const bytes = (name: string): Buffer => {
      const found = this.contents.get(name);
      if (!found) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      return found;
    };
    return {
      text: async (name) => bytes(name).toString('utf8'),
      chunks: async function* (name) {
        // In odd pieces, so that lines and characters are cut.
        for (let at = 0; at < bytes(name).length; at += 1009) yield bytes(name).subarray(at, at + 1009);
      },
      leaves: async (name) => ({
        count: bytes(name).length / 32,
        at: (index) => bytes(name).subarray(index * 32, index * 32 + 32),
        close: () => undefined,
      }),
    };
  }

  lines(partition: number): string[] {
    return (this.contents.get(`rows-${partition}.ndjson`) ?? Buffer.alloc(0)).toString('utf8').split('\n').slice(0, -1);
  }

  /** As somebody does who knows the format: the manifest's digest is put right as well. */
  async setLines(partition: number, lines: readonly string[]): Promise<void> {
    await this.replace(`rows-${partition}.ndjson`, Buffer.from(lines.map((line) => `${line}\n`).join(''), 'utf8'));
  }

  async setLeaves(partition: number, leaves: readonly Buffer[]): Promise<void> {
    await this.replace(`leaves-${partition}.bin`, Buffer.concat(leaves));
  }

  manifest(): ExportManifest {
    return readManifest(this.contents.get(manifestName)?.toString('utf8') ?? '');
  }

  setManifest(change: (manifest: ExportManifest) => ExportManifest): void {
    this.contents.set(manifestName, Buffer.from(writeManifest(change(this.manifest())), 'utf8'));
  }

  private async replace(name: string, bytes: Buffer): Promise<void> {
    const file = await ExportFileWriter.open(this.sink(), name);
    await file.write(bytes);
    const closed = await file.close();
    this.setManifest((manifest) => ({
      ...manifest,
      files: manifest.files.map((one) => (one.name === name ? { ...one, ...closed } : one)),
    }));
  }

  verify(checkpoints: readonly Checkpoint[] = []) {
    return verifyExport({
      files: this.files,
      keys: [verifying],
      checkpoints: checkpoints.map(({ note }) => note).join('\n'),
    });
  }
}
