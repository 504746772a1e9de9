import { hash } from 'node:crypto';

/** Numbers are integers that a double holds exactly, in the columns; anything JSON has, inside a JSON column. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/**
 * One row of the ledger as it stands in the table: column name to value. Times are epoch milliseconds, offsets are
 * integers, bytes are base64; a column without a value is null, never absent.
 */
export type LedgerRow = { readonly [column: string]: Json };

export class RowNotHashable extends Error {
  readonly code = 'ROW_NOT_HASHABLE';
  readonly retryable = false;
  constructor(where: string, problem: string) {
    super(`${where || 'the row'} ${problem}, so the row has no canonical form: the writer must not make such a row`);
  }
}

/**
 * The row as RFC 8785 (JCS) writes it: what is hashed, and one line of an export.
 * @throws RowNotHashable for what JSON cannot say exactly.
 */
export function rowText(row: LedgerRow): string {
  // The engine's own writer makes the same text, several times as fast, where the names happen to be in order.
  return isInOrder(row, '') ? JSON.stringify(row) : canonical(row);
}

/** Leaf of the Merkle tree (RFC 6962): SHA-256 over 0x00 and the row's text in UTF-8. */
export function leafHash(row: LedgerRow): Buffer {
  return Buffer.from(leafHashOf(rowText(row)), 'latin1');
}

/** What is hashed, 0x00 first: written here, a text is not copied once more to stand behind that byte. */
const hashed = Buffer.alloc(16 * 1024);
const mostUtf8Bytes = 3;

/** As `leafHash` of the row with this text, a byte to a character: a buffer of its own would cost as much as the hash. */
export function leafHashOf(text: string): string {
  // A NUL in a string is the byte 0x00 in UTF-8.
  if (1 + text.length * mostUtf8Bytes > hashed.length) return hash('sha256', `\0${text}`, 'binary');
  return hash('sha256', hashed.subarray(0, 1 + hashed.write(text, 1)), 'binary');
}

/** Also refuses what has no exact text: both writers of the text come after it. */
function isInOrder(value: Json | undefined, where: string): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      checkNumber(value, where);
      return true;
    case 'object':
      if (value === null) return true;
      return Array.isArray(value) ? areInOrder(value, where) : isObjectInOrder(value as LedgerRow, where);
    default:
      throw new RowNotHashable(where, `is of type ${typeof value}`);
  }
}

function areInOrder(values: readonly Json[], where: string): boolean {
  let inOrder = true;
  for (const value of values) inOrder = isInOrder(value, where) && inOrder;
  return inOrder;
}

function isObjectInOrder(object: LedgerRow, where: string): boolean {
  let inOrder = true;
  let before = '';
  for (const name in object) {
    // Strings compare by UTF-16 code units, as the RFC orders names.
    if (name < before) inOrder = false;
    before = name;
    inOrder = isInOrder(object[name], where || name) && inOrder;
  }
  return inOrder;
}

function checkNumber(value: number, where: string): void {
  if (!Number.isFinite(value)) throw new RowNotHashable(where, `is ${value}`);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new RowNotHashable(where, `is ${value}, an integer beyond what a double holds exactly`);
  }
}

// Text piece by piece, not a sorted copy: an object lists names like "10" first whatever the order they were set in.
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const object = value as LedgerRow;
  const members = Object.keys(object)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(object[name] as Json)}`);
  return `{${members.join(',')}}`;
}
