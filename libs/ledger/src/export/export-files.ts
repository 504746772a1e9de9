import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashBytes } from '../merkle/hashing.js';

/** Hashes of 32 bytes, one behind the other, read where they are wanted. */
export interface LeafFile {
  /** Not whole when the file was cut within a hash. */
  readonly count: number;
  at(index: number): Buffer;
  close(): void;
}

/** The files of an export, wherever they are. */
export interface ExportFiles {
  text(name: string): Promise<string>;
  chunks(name: string): AsyncIterable<Buffer>;
  leaves(name: string): Promise<LeafFile>;
}

/** An export in a folder. */
export const exportFolder = (folder: string): ExportFiles => ({
  text: (name) => readFile(join(folder, name), 'utf8'),
  chunks: (name) => createReadStream(join(folder, name), { highWaterMark: 1 << 18 }),
  leaves: async (name) => new LeavesOnDisk(join(folder, name)),
});

const blockHashes = 4096;

/** Rows come in order nearly always, so one block in memory answers nearly every question. */
class LeavesOnDisk implements LeafFile {
  readonly count: number;
  private readonly file: number;
  private readonly block = Buffer.alloc(blockHashes * hashBytes);
  private loaded = -1;

  constructor(path: string) {
    this.file = openSync(path, 'r');
    this.count = fstatSync(this.file).size / hashBytes;
  }

  at(index: number): Buffer {
    const block = Math.floor(index / blockHashes);
    if (block !== this.loaded) {
      readSync(this.file, this.block, 0, this.block.length, block * this.block.length);
      this.loaded = block;
    }
    const start = (index % blockHashes) * hashBytes;
    return Buffer.from(this.block.subarray(start, start + hashBytes));
  }

  close(): void {
    closeSync(this.file);
  }
}

/** A line longer than this is no row of ours. */
const mostLineBytes = 64 * 1024 * 1024;

/** Lines end with a line feed and nothing else: a row may hold every other character that ends lines elsewhere. */
export async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string, void> {
  let begun: Buffer[] = [];
  let begunBytes = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      begun.push(chunk.subarray(from, end));
      yield Buffer.concat(begun).toString('utf8');
      begun = [];
      begunBytes = 0;
      from = end + 1;
    }
    begunBytes += chunk.length - from;
    if (begunBytes > mostLineBytes) throw new Error(`a line is longer than ${mostLineBytes} bytes`);
    if (from < chunk.length) begun.push(chunk.subarray(from));
  }
  if (begunBytes > 0) yield Buffer.concat(begun).toString('utf8');
}
