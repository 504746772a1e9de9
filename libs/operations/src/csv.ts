/** What a spreadsheet takes for a formula, whatever blanks or full-width signs stand before it. */
const formula = /^[\s\u200b\ufeff]*[=+\-@\uff0b\uff0d\uff1d\uff20|]|^[\t\r\n]/u;

/**
 * One line of CSV (RFC 4180). Text that a spreadsheet would run as a formula gets an apostrophe in front: what stands in a record was
 * written by somebody else.
 */
export const csvRow = (cells: readonly (string | number | null)[]): string => `${cells.map(cellOf).join(',')}\r\n`;

function cellOf(value: string | number | null): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = formula.test(value) ? `'${value}` : value;
  // Empty text is quoted: nothing between two commas is a value that is not there.
  return /^[\w.:/-]+$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`;
}
