import { type Json, type LedgerRow, rowText } from '@tributary/ledger';
import { ledgerColumns } from '@tributary/persistence';
import { ocsfEvent } from './ocsf.js';

/** Writes rows as text, a line or more for each. */
export interface TextFormat {
  readonly extension: string;
  readonly header?: string;
  write(row: LedgerRow): string;
}

const columns = [...ledgerColumns];

/** What a spreadsheet would run as a formula. A line feed or a full-width sign in front is taken for one as well. */
const formula = /^[\s]*[=+\-@\uff0b\uff0d\uff1d\uff20]|^[\t\r\n]/u;

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;

/** Text from outside stays text: an apostrophe in front keeps every spreadsheet from running it. */
const textCell = (text: string): string => quoted(formula.test(text) ? `'${text}` : text);

function csvCell(value: Json | undefined, kind: string): string {
  if (value === null || value === undefined) return '';
  if (kind === 'timestamp') return new Date(value as number).toISOString();
  if (typeof value === 'number') return String(value);
  return textCell(typeof value === 'string' ? value : JSON.stringify(value));
}

/** Formats that are text. Only `ndjson` is what was hashed, byte for byte. */
export const textFormats = {
  ndjson: { extension: 'ndjson', write: (row) => `${rowText(row)}\n` },
  csv: {
    extension: 'csv',
    header: `${columns.map(([name]) => name).join(',')}\r\n`,
    write: (row) => `${columns.map(([name, kind]) => csvCell(row[name], kind)).join(',')}\r\n`,
  },
  ocsf: { extension: 'ocsf.ndjson', write: (row) => `${JSON.stringify(ocsfEvent(row))}\n` },
} as const satisfies Record<string, TextFormat>;
