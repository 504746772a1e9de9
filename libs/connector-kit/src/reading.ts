import { isUtf8 } from 'node:buffer';

/** Readers for bodies that anybody may have written: they answer null or undefined, and never throw. */

export type JsonObject = Readonly<Record<string, unknown>>;

export type BodyReading =
  | { readonly ok: true; readonly value: JsonObject }
  | { readonly ok: false; readonly code: 'body-empty' | 'body-unreadable'; readonly reason: string };

const unreadable = (reason: string): BodyReading => ({ ok: false, code: 'body-unreadable', reason });

// Deeper than any real event, shallow enough for every recursive walk that follows.
const maxDepth = 64;

/** The body as a JSON object: UTF-8, not empty, not nested without end. */
export function readJsonObject(body: Buffer): BodyReading {
  if (body.length === 0) return { ok: false, code: 'body-empty', reason: 'the body is empty' };
  const text = decodeUtf8(body);
  if (text === undefined) return unreadable('the body is not UTF-8');
  return readJsonText(text);
}

const sixteenDigits = /\d{16}/;

export function readJsonText(text: string): BodyReading {
  if (isDeeperThan(text, maxDepth)) return unreadable(`the body is nested deeper than ${maxDepth} levels`);
  try {
    // The reviver makes parsing several times slower, and is needed only where a number is that long.
    const value: unknown = sixteenDigits.test(text) ? JSON.parse(text, keepLargeIntegers) : JSON.parse(text);
    const object = asObject(value);
    return object ? { ok: true, value: object } : unreadable('the body is JSON, but not an object');
  } catch {
    return unreadable('the body is not JSON');
  }
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Without a byte order mark. Undefined when the bytes are not UTF-8. */
export function decodeUtf8(bytes: Buffer): string | undefined {
  if (!isUtf8(bytes)) return undefined;
  const hasMark = bytes.length >= 3 && bytes[0] === 0xef && byteOrderMark.equals(bytes.subarray(0, 3));
  return bytes.toString('utf8', hasMark ? 3 : 0);
}

// An id above 2^53 would silently become another id; as text it stays itself.
function keepLargeIntegers(this: unknown, _key: string, value: unknown, ...rest: unknown[]): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = (rest[0] as { source?: string } | undefined)?.source ?? '';
  return /^-?\d+$/.test(source) ? source : value;
}

// Few bodies have that many brackets at all, and searching for them is far faster than the walk below.
function hasMoreBracketsThan(text: string, limit: number): boolean {
  let count = 0;
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) if (++count > limit) return true;
  }
  return false;
}

function isDeeperThan(text: string, limit: number): boolean {
  if (!hasMoreBracketsThan(text, limit)) return false;
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > limit) return true;
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
  return false;
}

export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

/** Text with something in it; numbers as their digits. Null otherwise. */
export function asText(value: unknown): string | null {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  return typeof value === 'string' && value !== '' ? value : null;
}

const maxIdentifierLength = 256;
// Control characters, and halves of surrogate pairs, which UTF-8 cannot carry.
const unprintable = /[\p{Cc}\p{Cs}]/u;

/** Text that can serve as an id, a type or a subject: bounded and printable. Undefined otherwise. */
export function asIdentifier(value: unknown): string | undefined {
  const text = asText(value);
  if (text === null || text.length > maxIdentifierLength || text.trim() === '') return undefined;
  return unprintable.test(text) ? undefined : text;
}

// 9999-12-31T23:59:59.999Z, the last moment that RFC 3339 can write.
const lastMs = 253_402_300_799_999;

const inRange = (ms: number): number | null => (Number.isFinite(ms) && ms >= 0 && ms <= lastMs ? Math.trunc(ms) : null);

/** Epoch milliseconds from Unix seconds. */
export function msFromUnixSeconds(value: unknown): number | null {
  return typeof value === 'number' ? inRange(value * 1000) : null;
}

/** Epoch milliseconds from an ISO 8601 date and time. */
export function msFromIso(value: unknown): number | null {
  if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}T/.test(value)) return null;
  return inRange(Date.parse(value));
}

/** `time` of an event, where the source gave one. */
export function timeOf(ms: number | null): { readonly time?: string } {
  return ms === null ? {} : { time: new Date(ms).toISOString() };
}

/** A part of an event type from a vendor's word: `self_onboarding_completed` becomes `self-onboarding-completed`. */
export function typePart(word: string): string | undefined {
  const folded = word
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '');
  return folded === '' ? undefined : folded.slice(0, 100).replace(/-+$/, '');
}
