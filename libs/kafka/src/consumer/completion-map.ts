import { PlatformError } from '@tributary/domain';

/** Finished offsets `from <= offset < to`. */
export interface OffsetRange {
  readonly from: number;
  readonly to: number;
}

export interface CompletionMap {
  /** Finished offsets above the committed one, ascending, not touching each other. */
  readonly finished: readonly OffsetRange[];
  /** The writer had nothing in flight and had stopped. */
  readonly drained: boolean;
}

/** The committed offset is there and its metadata cannot be read: going on would repeat or lose finished work unseen. */
export class UnreadableCompletionMap extends PlatformError {
  readonly code = 'UNREADABLE_COMPLETION_MAP';
  readonly retryable = false;

  constructor(reason: string) {
    super(`the completion map in the commit metadata cannot be read: ${reason}`);
  }
}

/*
 * Version 1, base64 of: version byte, flags byte (bit 0 drained, bits 1-2 form), body.
 *   form 0  nothing finished above the committed offset
 *   form 1  runs: pairs of varints, unfinished then finished, counted from the committed offset
 *   form 2  bits: one per offset from the committed one on, lowest bit first
 */
const version = 1;
const drainedFlag = 1;
const forms = { empty: 0, runs: 1, bits: 2 } as const;

/** Characters of metadata: below the broker's limit of 4096 bytes. */
export const maxMapCharacters = 3_000;
const headerBytes = 2;
/** Bytes before base64. */
export const maxMapBytes = Math.floor(maxMapCharacters / 4) * 3;

export const emptyCompletionMap = encodeCompletionMap(0, []);

/**
 * @param base the committed offset: the first one that is not finished.
 * @param finished ascending, not touching, all above `base`.
 */
export function encodeCompletionMap(base: number, finished: readonly OffsetRange[], drained = false): string {
  if (finished.length === 0) return toText(forms.empty, drained, Buffer.alloc(0));
  const runs = encodeRuns(base, finished);
  const last = finished[finished.length - 1] as OffsetRange;
  const bitBytes = Math.ceil((last.to - base) / 8);
  const map =
    bitBytes < runs.length
      ? toText(forms.bits, drained, encodeBits(base, finished, bitBytes))
      : toText(forms.runs, drained, runs);
  // Admission keeps the map small (see `mapBytesAtMost`), so this is a mistake of ours and must not become a silent cut.
  if (map.length > maxMapCharacters) throw new RangeError(`completion map of ${map.length} characters is too large`);
  return map;
}

/** @throws UnreadableCompletionMap */
export function decodeCompletionMap(base: number, text: string): CompletionMap {
  const bytes = fromText(text);
  if (bytes[0] !== version) throw new UnreadableCompletionMap(`version ${bytes[0]}, this release reads ${version}`);
  const flags = bytes[1] as number;
  const body = bytes.subarray(headerBytes);
  const drained = (flags & drainedFlag) !== 0;
  switch (flags >> 1) {
    case forms.empty:
      if (body.length > 0) throw new UnreadableCompletionMap('an empty map with a body');
      return { finished: [], drained };
    case forms.runs:
      return { finished: decodeRuns(base, body), drained };
    case forms.bits:
      return { finished: decodeBits(base, body), drained };
    default:
      throw new UnreadableCompletionMap(`unknown flags ${flags}`);
  }
}

/**
 * Upper bound of the map's bytes whatever is finished later: `span` offsets from the committed one to the last known, and at most
 * `runs` separate runs of finished offsets (each one ends at an unfinished record).
 */
export function mapBytesAtMost(span: number, runs: number): number {
  const bits = Math.ceil(span / 8);
  // A run is two varints. Their sum is at most `span`, so few of them can be long.
  const byLength = 2 * runs * varintBytes(span);
  const bySum = 2 * runs + 2 * Math.ceil(span / 127);
  return headerBytes + Math.min(bits, byLength, bySum);
}

function varintBytes(value: number): number {
  if (value < 128) return 1;
  if (value < 16_384) return 2;
  if (value < 2_097_152) return 3;
  return 8;
}

function toText(form: number, drained: boolean, body: Buffer): string {
  const header = Buffer.from([version, (form << 1) | (drained ? drainedFlag : 0)]);
  return Buffer.concat([header, body]).toString('base64');
}

function fromText(text: string): Buffer {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) {
    throw new UnreadableCompletionMap(text === '' ? 'there is none' : 'it is not base64');
  }
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length < headerBytes) throw new UnreadableCompletionMap('it is too short');
  return bytes;
}

function encodeRuns(base: number, finished: readonly OffsetRange[]): Buffer {
  const bytes: number[] = [];
  let at = base;
  for (const { from, to } of finished) {
    pushVarint(bytes, from - at);
    pushVarint(bytes, to - from);
    at = to;
  }
  return Buffer.from(bytes);
}

function decodeRuns(base: number, body: Buffer): OffsetRange[] {
  const finished: OffsetRange[] = [];
  const cursor = { at: 0 };
  let offset = base;
  while (cursor.at < body.length) {
    const skipped = readVarint(body, cursor);
    const length = readVarint(body, cursor);
    if (skipped === 0 || length === 0) throw new UnreadableCompletionMap('a run without length');
    const from = offset + skipped;
    offset = from + length;
    if (offset > Number.MAX_SAFE_INTEGER) throw new UnreadableCompletionMap('an offset beyond all offsets');
    finished.push({ from, to: offset });
  }
  if (finished.length === 0) throw new UnreadableCompletionMap('runs without a run');
  return finished;
}

function encodeBits(base: number, finished: readonly OffsetRange[], length: number): Buffer {
  const bits = Buffer.alloc(length);
  for (const { from, to } of finished) {
    for (let i = from - base; i < to - base; i++) bits[i >> 3] = (bits[i >> 3] as number) | (1 << (i & 7));
  }
  return bits;
}

function decodeBits(base: number, body: Buffer): OffsetRange[] {
  const finished: OffsetRange[] = [];
  let from = -1;
  for (let i = 0; i <= body.length * 8; i++) {
    const isSet = i < body.length * 8 && ((body[i >> 3] as number) & (1 << (i & 7))) !== 0;
    if (isSet && from < 0) from = i;
    if (!isSet && from >= 0) {
      finished.push({ from: base + from, to: base + i });
      from = -1;
    }
  }
  if (finished.length === 0) throw new UnreadableCompletionMap('bits without a bit');
  if (finished[0]?.from === base) throw new UnreadableCompletionMap('the committed offset itself is marked finished');
  return finished;
}

function pushVarint(bytes: number[], value: number): void {
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
}

function readVarint(bytes: Buffer, cursor: { at: number }): number {
  let value = 0;
  for (let scale = 1; scale <= 128 ** 7; scale *= 128) {
    const byte = bytes[cursor.at++];
    if (byte === undefined) throw new UnreadableCompletionMap('it ends in the middle of a number');
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
  throw new UnreadableCompletionMap('a number that is too long');
}
