import { createHash, type Hash } from 'node:crypto';
import type { Checkpoint, TreeName } from '../checkpoint/checkpoint.js';
import { type RangeRoot } from '../merkle/proofs.js';
import { subtreesOf } from '../merkle/stored-tree.js';
import {
  type ExportedRange,
  type ExportFile,
  type ExportManifest,
  type ExportQuery,
  manifestName,
  writeManifest,
} from './manifest.js';

/** Where an export goes. What is open when something fails is left to whoever opened it. */
export interface ExportSink {
  /** Waits until the bytes are taken, so that nothing heaps up. */
  open(name: string): Promise<{ write(bytes: Uint8Array): Promise<void>; close(): Promise<void> }>;
}

/** A file that knows its length and digest. */
export class ExportFileWriter {
  private readonly hash: Hash = createHash('sha256');
  private bytes = 0;
  rows = 0;

  private constructor(
    readonly name: string,
    private readonly file: Awaited<ReturnType<ExportSink['open']>>,
  ) {}

  static async open(sink: ExportSink, name: string): Promise<ExportFileWriter> {
    return new ExportFileWriter(name, await sink.open(name));
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.hash.update(bytes);
    this.bytes += bytes.length;
    await this.file.write(bytes);
  }

  async close(): Promise<ExportFile> {
    await this.file.close();
    const file = { name: this.name, bytes: this.bytes, sha256: this.hash.digest('hex') };
    return this.rows > 0 ? { ...file, rows: this.rows } : file;
  }
}

/** What leads from the leaf hashes of a range to the root that the checkpoint signs. */
export async function rangeProof(
  { tree, from, to }: { readonly tree: TreeName; readonly from: number; readonly to: number },
  checkpoint: Checkpoint | undefined,
  rootOf: RangeRoot,
): Promise<Pick<ExportedRange, 'left' | 'right'>> {
  const [begin, end] = [from - tree.firstOffset, to - tree.firstOffset];
  const rootsOf = async (first: number, last: number): Promise<Buffer[]> => {
    const roots: Buffer[] = [];
    for (const { level, index } of subtreesOf(first, last))
      roots.push(await rootOf(index * 2 ** level, (index + 1) * 2 ** level));
    return roots;
  };
  return {
    left: Buffer.concat(await rootsOf(0, begin)),
    right: checkpoint && checkpoint.size > end ? await rootsOf(end, checkpoint.size) : [],
  };
}

export async function putManifest(sink: ExportSink, manifest: ExportManifest): Promise<void> {
  const file = await sink.open(manifestName);
  await file.write(Buffer.from(writeManifest(manifest), 'utf8'));
  await file.close();
}

export type { ExportManifest, ExportQuery };
