import { createHash } from 'node:crypto';
import { type Checkpoint, openCheckpoint, originOf, signedAtOf, splitNotes } from '../checkpoint/checkpoint.js';
import type { VerifyingKey } from '../checkpoint/keys.js';
import { FrontierBroken } from '../merkle/frontier.js';
import { type Finding, Findings } from '../verify/finding.js';
import { forksIn } from '../verify/forks.js';
import { RangeCheck } from '../verify/range-check.js';
import { type ExportFiles, linesOf } from './export-files.js';
import { type ExportedRange, type ExportFile, type ExportManifest, manifestName, readManifest } from './manifest.js';

export interface VerifiedRange {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  /** Rows that are what was signed. */
  readonly rows: number;
  /** When the checkpoint was signed; null when there is none. */
  readonly signedAt: string | null;
}

export interface Verification {
  readonly holds: boolean;
  readonly manifest: ExportManifest | undefined;
  readonly ranges: readonly VerifiedRange[];
  readonly findings: readonly Finding[];
  /** Findings that were counted and not kept. */
  readonly moreFindings: number;
  /** What is no flaw, but limits what was shown. */
  readonly notes: readonly string[];
}

export interface VerifyOptions {
  readonly files: ExportFiles;
  readonly keys: readonly VerifyingKey[];
  /** Signed checkpoints that were kept elsewhere, one after the other. */
  readonly checkpoints?: string;
  readonly onProgress?: (rows: number) => void;
}

/** Holds an export against the keys, and nothing else: neither Kafka nor the database need be there. */
export async function verifyExport(options: VerifyOptions): Promise<Verification> {
  return new ExportVerifier(options).run();
}

class ExportVerifier {
  private readonly findings = new Findings();
  private readonly notes: string[] = [];
  private readonly ranges: VerifiedRange[] = [];
  private readonly heads = new Map<string, Checkpoint[]>();
  private rows = 0;

  constructor(private readonly options: VerifyOptions) {}

  async run(): Promise<Verification> {
    const manifest = await this.readManifest();
    if (manifest) {
      this.openCheckpoints(manifest);
      const checked = new Set<string>();
      for (const range of manifest.ranges) await this.checkRange(manifest, range, checked);
      for (const file of manifest.files) if (!checked.has(file.name)) await this.checkFile(file);
      this.tellLimits(manifest);
    }
    return {
      holds: this.findings.total === 0,
      manifest,
      ranges: this.ranges,
      findings: this.findings.all,
      moreFindings: this.findings.more,
      notes: this.notes,
    };
  }

  private async readManifest(): Promise<ExportManifest | undefined> {
    try {
      return readManifest(await this.options.files.text(manifestName));
    } catch (error) {
      this.findings.add({ flaw: 'file', what: (error as Error).message });
      return undefined;
    }
  }

  private openCheckpoints(manifest: ExportManifest): void {
    const own = manifest.ranges.flatMap(({ checkpoint }) => (checkpoint === null ? [] : [checkpoint]));
    for (const note of new Set([...own, ...manifest.checkpoints]))
      this.openCheckpoint(note, 'a checkpoint of the export');
    for (const note of splitNotes(this.options.checkpoints ?? ''))
      this.openCheckpoint(note, 'a checkpoint from elsewhere');
    for (const finding of forksIn([...this.heads.values()].flat())) this.findings.add(finding);
  }

  private openCheckpoint(note: string, which: string): Checkpoint | undefined {
    try {
      const checkpoint = openCheckpoint(note, this.options.keys);
      const origin = originOf(checkpoint.tree);
      this.heads.set(origin, [...(this.heads.get(origin) ?? []), checkpoint]);
      return checkpoint;
    } catch (error) {
      const [title = ''] = note.split('\n', 1);
      this.findings.add({ flaw: 'checkpoint', what: `${which} (${title}) is refused: ${(error as Error).message}` });
      return undefined;
    }
  }

  private async checkRange(manifest: ExportManifest, range: ExportedRange, checked: Set<string>): Promise<void> {
    const { tree, from, to, rowsFile, leavesFile } = range;
    const heads = this.heads.get(originOf(tree)) ?? [];
    const checkpoint = heads.find(({ note }) => note === range.checkpoint);
    const isWhole = manifest.query.tenant === null;
    this.checkEnds(manifest, range, checkpoint, heads);
    if (rowsFile === undefined || leavesFile === undefined) return;
    const rows = await this.reading(leavesFile, async () => {
      const leaves = await this.options.files.leaves(leavesFile);
      try {
        if (leaves.count !== to - from)
          throw new Error(`it holds ${leaves.count} hashes for the ${to - from} offsets of its range`);
        const retired = await this.retiredIn(manifest, range, checked);
        const file = manifest.files.find(({ name }) => name === rowsFile);
        if (!file) throw new Error(`${rowsFile} is not in the list of files`);
        checked.add(rowsFile);
        const texts = this.counted(linesOf(this.hashed(file)));
        const others = heads.filter(({ note }) => note !== range.checkpoint);
        const check = new RangeCheck({ ...range, isWhole, checkpoint }, others, this.findings);
        // In one piece: its rows may stand in another order than their hashes.
        await check.take({ from, to, retired, leafAt: (i) => leaves.at(i), rows: texts });
        return check.finish().rows;
      } finally {
        leaves.close();
      }
    });
    this.ranges.push({
      partition: tree.partition,
      from,
      to,
      rows: rows ?? 0,
      signedAt: checkpoint ? signedAtOf(checkpoint) : null,
    });
  }

  private async retiredIn(
    { files }: ExportManifest,
    { tree, from, to, retiredFile }: ExportedRange,
    checked: Set<string>,
  ): Promise<Uint8Array | undefined> {
    if (retiredFile === undefined) return undefined;
    const file = files.find(({ name }) => name === retiredFile);
    if (!file) throw new Error(`${retiredFile} is not in the list of files`);
    checked.add(retiredFile);
    const chunks: Buffer[] = [];
    let bytes = 0;
    const expected = Math.ceil((to - from) / 8);
    for await (const chunk of this.hashed(file)) {
      bytes += chunk.length;
      if (bytes <= expected) chunks.push(chunk);
    }
    if (bytes !== expected)
      throw new Error(`${retiredFile} holds ${bytes} bytes where its range of ${to - from} offsets has ${expected}`);
    const bits = Buffer.concat(chunks);
    this.notes.push(
      `partition ${tree.partition}: ${countOf(bits)} rows were retired before the export: their hashes are proven, what they said is gone; hold their number against the ledger's records of action "retired"`,
    );
    return bits;
  }

  /** Whether the range begins and ends where the query says, and the checkpoint is the latest there was. */
  private checkEnds(
    { query, createdAt }: ExportManifest,
    { tree, from, to, checkpoint: note }: ExportedRange,
    checkpoint: Checkpoint | undefined,
    heads: readonly Checkpoint[],
  ): void {
    const { partition, firstOffset } = tree;
    const signedEnd = firstOffset + (checkpoint?.size ?? 0);
    const tell = (flaw: Finding['flaw'], what: string, first: number, end: number) =>
      this.findings.add({ flaw, partition, what, ...(first < end && { first, last: end - 1 }) });
    if (note === null) tell('unsigned', `nobody has signed the rows of partition ${partition}`, from, to);
    else if (checkpoint && to > signedEnd)
      tell('unsigned', `its checkpoint ends before offset ${signedEnd}`, signedEnd, to);
    if (query.from === null && from > firstOffset)
      tell('missing', 'the query has no beginning, but the export has one', firstOffset, from);
    if (query.to === null && to < signedEnd)
      tell(
        'truncated',
        `the query has no end, but the export ends before the ${checkpoint?.size} rows of its checkpoint`,
        to,
        signedEnd,
      );
    for (const head of heads) {
      const end = firstOffset + head.size;
      if (!checkpoint || end <= signedEnd) continue;
      if (head.signedAtMs > Date.parse(createdAt)) {
        this.notes.push(
          `partition ${partition}: a checkpoint of ${signedAtOf(head)} is younger than this export, which cannot speak about it`,
        );
      } else {
        tell(
          'truncated',
          `${head.size} rows had been signed at ${signedAtOf(head)}, before the export was made, which knows ${checkpoint.size}: it was cut, or put together from an old checkpoint`,
          signedEnd,
          end,
        );
      }
    }
  }

  private async *counted(lines: AsyncIterable<string>): AsyncGenerator<string, void> {
    for await (const line of lines) {
      this.rows += 1;
      if (this.rows % 10_000 === 0) this.options.onProgress?.(this.rows);
      yield line;
    }
  }

  private async checkFile(file: ExportFile): Promise<void> {
    await this.reading(file.name, async () => {
      for await (const _ of this.hashed(file));
    });
  }

  /** The bytes of a file; at their end it must be the one that the manifest means. */
  private async *hashed(file: ExportFile): AsyncGenerator<Buffer, void> {
    const hash = createHash('sha256');
    for await (const chunk of this.options.files.chunks(file.name)) {
      hash.update(chunk);
      yield chunk;
    }
    if (hash.digest('hex') === file.sha256) return;
    this.findings.add({ flaw: 'file', what: `${file.name} is not the file that was exported: its SHA-256 is another` });
  }

  private async reading<T>(name: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      const { code } = error as { code?: string };
      const isExpected =
        typeof code === 'string' || error instanceof FrontierBroken || (error as Error).constructor === Error;
      if (!isExpected) throw error;
      this.findings.add({ flaw: 'file', what: `${name} cannot be used: ${(error as Error).message}` });
      return undefined;
    }
  }

  private tellLimits(manifest: ExportManifest): void {
    if (manifest.ranges.length === 0)
      this.findings.add({ flaw: 'unsigned', what: 'the export names no range of the ledger' });
    if (manifest.query.tenant !== null) {
      this.notes.push(
        `only rows of tenant ${manifest.query.tenant}: each row is proven, that none of them was left out is not`,
      );
    }
    if (manifest.ranges.some(({ rowsFile }) => rowsFile === undefined)) {
      this.findings.add({
        flaw: 'unsigned',
        what: `${manifest.rowFormat} is not a form that was signed: only an export as ndjson can be verified`,
      });
    }
    const { from, to } = manifest.query;
    const hasLimits = from !== null || to !== null;
    if (hasLimits) {
      this.notes.push(
        `only rows of ${[from && `from ${from} on`, to && `before ${to}`].filter(Boolean).join(' and ')}: that the offsets which are named are all of that time is not shown`,
      );
    }
    const exported = new Set(manifest.ranges.map(({ tree }) => originOf(tree)));
    for (const [origin, heads] of this.heads) {
      if (exported.has(origin)) continue;
      const isOlder = heads.some(({ signedAtMs }) => signedAtMs <= Date.parse(manifest.createdAt));
      if (!isOlder) continue;
      if (hasLimits) {
        this.notes.push(
          `${origin} was signed before the export was made: that it has no row of the time that was asked for is not shown`,
        );
        continue;
      }
      this.findings.add({ flaw: 'missing', what: `${origin} was signed before the export was made and is not in it` });
    }
  }
}

function countOf(bits: Uint8Array): number {
  let count = 0;
  for (const byte of bits) for (let rest = byte; rest > 0; rest &= rest - 1) count += 1;
  return count;
}
