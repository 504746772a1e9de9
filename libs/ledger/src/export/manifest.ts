import { originOf, parseOrigin, type TreeName } from '../checkpoint/checkpoint.js';
import { hashBytes } from '../merkle/hashing.js';

export const manifestName = 'manifest.json';
const formatName = 'tributary-ledger-export/1';

export interface ExportQuery {
  /** ISO 8601; null: from the first row on. */
  readonly from: string | null;
  /** ISO 8601, not included; null: up to the last signed row. */
  readonly to: string | null;
  /** Null: every tenant's rows. */
  readonly tenant: string | null;
}

export interface ExportFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Absent for files that hold no rows. */
  readonly rows?: number;
}

/** One partition of the audit topic: which offsets the export speaks about, and what leads from their hashes to a signed root. */
export interface ExportedRange {
  readonly tree: TreeName;
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  /** Rows exactly as they were hashed, one a line; absent where the format is not one that can be verified. */
  readonly rowsFile?: string;
  /** 32 bytes for each offset of the range. */
  readonly leavesFile?: string;
  /** One bit for each offset of the range, lowest bit first: the row was retired before the export. Absent: none was. */
  readonly retiredFile?: string;
  readonly left: Buffer;
  readonly right: readonly Buffer[];
  readonly checkpoint: string | null;
}

export interface ExportManifest {
  readonly createdAt: string;
  readonly createdBy: string;
  /** ndjson, csv, parquet or ocsf. */
  readonly rowFormat: string;
  readonly query: ExportQuery;
  readonly rows: number;
  readonly files: readonly ExportFile[];
  readonly ranges: readonly ExportedRange[];
  /** Earlier signed checkpoints of the same trees. */
  readonly checkpoints: readonly string[];
}

export class ManifestUnreadable extends Error {
  readonly code = 'MANIFEST_UNREADABLE';
  readonly retryable = false;
  constructor(problem: string) {
    super(`${manifestName} is not the manifest of an export: ${problem}`);
  }
}

export function writeManifest(manifest: ExportManifest): string {
  const { ranges, ...rest } = manifest;
  const written = ranges.map(({ tree, left, right, ...range }) => ({
    tree: originOf(tree),
    ...range,
    left: left.toString('base64'),
    right: right.map((hash) => hash.toString('base64')),
  }));
  return `${JSON.stringify({ format: formatName, ...rest, ranges: written }, null, 2)}\n`;
}

/** Reads what may come from anybody. @throws ManifestUnreadable */
export function readManifest(text: string): ExportManifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ManifestUnreadable((error as Error).message);
  }
  const manifest = objectIn(json, 'it');
  if (manifest.format !== formatName) throw new ManifestUnreadable(`its format is not ${formatName}`);
  const query = objectIn(manifest.query, 'query');
  return {
    createdAt: timeIn(manifest.createdAt, 'createdAt'),
    createdBy: textIn(manifest.createdBy, 'createdBy'),
    rowFormat: textIn(manifest.rowFormat, 'rowFormat'),
    query: {
      from: query.from === null ? null : timeIn(query.from, 'query.from'),
      to: query.to === null ? null : timeIn(query.to, 'query.to'),
      tenant: query.tenant === null ? null : textIn(query.tenant, 'query.tenant'),
    },
    rows: countIn(manifest.rows, 'rows'),
    files: listIn(manifest.files, 'files').map(readFile),
    ranges: listIn(manifest.ranges, 'ranges').map(readRange),
    checkpoints: listIn(manifest.checkpoints, 'checkpoints').map((note) => textIn(note, 'checkpoints')),
  };
}

function readFile(value: unknown): ExportFile {
  const file = objectIn(value, 'files');
  return {
    name: fileNameIn(file.name, 'files.name'),
    bytes: countIn(file.bytes, 'files.bytes'),
    sha256: textIn(file.sha256, 'files.sha256'),
    ...(file.rows !== undefined && { rows: countIn(file.rows, 'files.rows') }),
  };
}

function readRange(value: unknown): ExportedRange {
  const range = objectIn(value, 'ranges');
  const tree = parseOrigin(textIn(range.tree, 'ranges.tree'));
  if (!tree) throw new ManifestUnreadable('ranges.tree names no tree');
  const [from, to] = [countIn(range.from, 'ranges.from'), countIn(range.to, 'ranges.to')];
  if (from < tree.firstOffset || to < from)
    throw new ManifestUnreadable('ranges.from and ranges.to are no range of the tree');
  return {
    tree,
    from,
    to,
    rows: countIn(range.rows, 'ranges.rows'),
    ...(range.rowsFile !== undefined && { rowsFile: fileNameIn(range.rowsFile, 'ranges.rowsFile') }),
    ...(range.leavesFile !== undefined && { leavesFile: fileNameIn(range.leavesFile, 'ranges.leavesFile') }),
    ...(range.retiredFile !== undefined && { retiredFile: fileNameIn(range.retiredFile, 'ranges.retiredFile') }),
    left: Buffer.from(textIn(range.left, 'ranges.left'), 'base64'),
    right: listIn(range.right, 'ranges.right').map(hashIn),
    checkpoint: range.checkpoint === null ? null : textIn(range.checkpoint, 'ranges.checkpoint'),
  };
}

function objectIn(value: unknown, where: string): { readonly [name: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ManifestUnreadable(`${where} is no object`);
  return value as { readonly [name: string]: unknown };
}

function listIn(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new ManifestUnreadable(`${where} is no list`);
  return value;
}

function textIn(value: unknown, where: string): string {
  if (typeof value !== 'string') throw new ManifestUnreadable(`${where} is no text`);
  return value;
}

function timeIn(value: unknown, where: string): string {
  const text = textIn(value, where);
  if (Number.isNaN(Date.parse(text))) throw new ManifestUnreadable(`${where} is no time`);
  return text;
}

function countIn(value: unknown, where: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new ManifestUnreadable(`${where} is no number of things`);
  return value as number;
}

/** A file beside the manifest: the name of an export from elsewhere must not lead anywhere else. */
function fileNameIn(value: unknown, where: string): string {
  const text = textIn(value, where);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/.test(text)) throw new ManifestUnreadable(`${where} is no plain file name`);
  return text;
}

function hashIn(value: unknown): Buffer {
  const hash = Buffer.from(textIn(value, 'ranges.right'), 'base64');
  if (hash.length !== hashBytes) throw new ManifestUnreadable('ranges.right holds something that is no hash');
  return hash;
}
