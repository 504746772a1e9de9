import {
  type Checkpoint,
  type ExportedRange,
  type ExportFile,
  ExportFileWriter,
  type ExportManifest,
  type ExportSink,
  type LedgerRow,
  originOf,
  parseCheckpoint,
  putManifest,
  rangeProof,
} from '@tributary/ledger';
import type { LedgerRows, LedgerTrees, OffsetRange, RetiredRows, TreeExtent } from '@tributary/persistence';
import { type TextFormat, textFormats } from './row-formats.js';

export const exportFormats = ['ndjson', 'csv', 'parquet', 'ocsf'] as const;
export type ExportFormat = (typeof exportFormats)[number];

export interface ExportPorts {
  readonly rows: Pick<LedgerRows, 'offsetsOf' | 'read'>;
  readonly trees: Pick<LedgerTrees, 'all' | 'leaves' | 'rootsOf'>;
  readonly retired: Pick<RetiredRows, 'bitsOf'>;
  /** Published checkpoint notes, in the order of their topic. */
  readonly notes: () => Promise<readonly string[]>;
  readonly sink: ExportSink;
  readonly nowMs: () => number;
  readonly actor: string;
  readonly onProgress?: (rows: number) => void;
}

export interface ExportRequest {
  readonly format: ExportFormat;
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  readonly tenant?: string | undefined;
}

/** Nothing was written. */
export class NothingToExport extends Error {
  override readonly name = 'NothingToExport';
}

const leavesAtOnce = 10_000;
const progressEvery = 10_000;

/** Exports rows with what shows that they are the signed ones. Rows that no checkpoint covers yet are left to a later export. */
export async function exportLedger(ports: ExportPorts, request: ExportRequest): Promise<ExportManifest> {
  return new LedgerExport(ports, request).run();
}

class LedgerExport {
  private readonly files: ExportFile[] = [];
  private readonly ranges: ExportedRange[] = [];
  private written = 0;

  constructor(
    private readonly ports: ExportPorts,
    private readonly request: ExportRequest,
  ) {}

  async run(): Promise<ExportManifest> {
    const { trees, notes, sink, nowMs, actor } = this.ports;
    const { format, from, to, tenant } = this.request;
    const createdAt = new Date(nowMs()).toISOString();
    const checkpoints = (await notes()).map(parseCheckpoint);
    const states = await trees.all();
    if (states.length === 0) throw new NothingToExport('the ledger has no trees yet: is the audit-logger running?');
    for (const tree of states) {
      const own = checkpoints.filter(
        (one) => one.tree.partition === tree.partition && one.tree.firstOffset === tree.firstOffset,
      );
      await this.exportTree(tree, own);
    }
    if (this.ranges.length === 0)
      throw new NothingToExport('the ledger has no signed row of this time; nothing was exported');
    const exported = new Set(this.ranges.map((range) => originOf(range.tree)));
    const manifest: ExportManifest = {
      createdAt,
      createdBy: actor,
      rowFormat: format,
      query: { from: from?.toISOString() ?? null, to: to?.toISOString() ?? null, tenant: tenant ?? null },
      rows: this.written,
      files: this.files,
      ranges: this.ranges,
      checkpoints: checkpoints.filter(({ tree }) => exported.has(originOf(tree))).map(({ note }) => note),
    };
    await putManifest(sink, manifest);
    return manifest;
  }

  private async exportTree(state: TreeExtent, checkpoints: readonly Checkpoint[]): Promise<void> {
    const checkpoint = checkpoints.reduce<Checkpoint | undefined>(
      (best, one) => (one.size > (best?.size ?? -1) ? one : best),
      undefined,
    );
    const range = await this.rangeOf(state, checkpoint?.size ?? state.size);
    if (!range) return;
    const tree = checkpoint?.tree ?? { log: 'unsigned', partition: state.partition, firstOffset: state.firstOffset };
    const proof = await rangeProof({ tree, ...range }, checkpoint, this.ports.trees.rootsOf(state));
    const base = { tree, from: range.from, to: range.to, ...proof, checkpoint: checkpoint?.note ?? null };
    if (this.request.format !== 'ndjson') {
      const rows = await this.writeRows(range);
      this.ranges.push({ ...base, rows: rows.rows });
      return;
    }
    const leavesFile = await this.writeLeaves(range);
    const rows = await this.writeRows(range);
    const retiredFile = await this.writeRetired(range);
    this.ranges.push({
      ...base,
      rows: rows.rows,
      rowsFile: rows.name,
      leavesFile,
      ...(retiredFile !== undefined && { retiredFile }),
    });
  }

  /** The offsets that the query means, as far as they are signed. */
  private async rangeOf({ partition, firstOffset }: TreeExtent, size: number): Promise<OffsetRange | undefined> {
    const { from, to } = this.request;
    const end = firstOffset + size;
    if (!from && !to) return size > 0 ? { partition, from: firstOffset, to: end } : undefined;
    const window = await this.ports.rows.offsetsOf(partition, { fromMs: from?.getTime(), toMs: to?.getTime() });
    if (!window) return undefined;
    // Without a limit on one side, the range goes to the end of the tree on that side, whatever the clocks said.
    const range = {
      partition,
      from: from ? Math.max(window.from, firstOffset) : firstOffset,
      to: to ? Math.min(window.to, end) : end,
    };
    return range.from < range.to ? range : undefined;
  }

  private async writeLeaves({ partition, from, to }: OffsetRange): Promise<string> {
    const file = await ExportFileWriter.open(this.ports.sink, `leaves-${partition}.bin`);
    for (let at = from; at < to; at += leavesAtOnce) {
      const leaves = await this.ports.trees.leaves(partition, at, Math.min(to, at + leavesAtOnce));
      await file.write(Buffer.concat(leaves));
    }
    this.files.push(await file.close());
    return file.name;
  }

  /** After the rows: what is retired while they are written is in neither file otherwise. */
  private async writeRetired({ partition, from, to }: OffsetRange): Promise<string | undefined> {
    const bits = await this.ports.retired.bitsOf(partition, from, to);
    if (bits.every((byte) => byte === 0)) return undefined;
    const file = await ExportFileWriter.open(this.ports.sink, `retired-${partition}.bin`);
    await file.write(bits);
    this.files.push(await file.close());
    return file.name;
  }

  private async writeRows(range: OffsetRange): Promise<ExportFileWriter> {
    const { format } = this.request;
    const extension = format === 'parquet' ? 'parquet' : textFormats[format].extension;
    const file = await ExportFileWriter.open(this.ports.sink, `rows-${range.partition}.${extension}`);
    const rows = this.counted(range, file);
    if (format === 'parquet') {
      const { writeParquet } = await import('./parquet-file.js');
      await writeParquet(rows, (bytes) => file.write(bytes));
    } else {
      await writeText(textFormats[format], rows, file);
    }
    this.files.push(await file.close());
    return file;
  }

  private async *counted(range: OffsetRange, file: ExportFileWriter): AsyncGenerator<LedgerRow, void> {
    for await (const { row } of this.ports.rows.read(range, this.request.tenant)) {
      file.rows += 1;
      this.written += 1;
      if (this.written % progressEvery === 0) this.ports.onProgress?.(this.written);
      yield row;
    }
  }
}

const bufferBytes = 256 * 1024;

async function writeText(format: TextFormat, rows: AsyncIterable<LedgerRow>, file: ExportFileWriter): Promise<void> {
  let text = format.header ?? '';
  for await (const row of rows) {
    text += format.write(row);
    if (text.length < bufferBytes) continue;
    await file.write(Buffer.from(text, 'utf8'));
    text = '';
  }
  if (text) await file.write(Buffer.from(text, 'utf8'));
}
