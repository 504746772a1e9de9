import { type Json, type LedgerRow, rowText } from '@tributary/ledger';
import { ledgerColumns } from '@tributary/persistence';
import { csvRow } from '../csv.js';
import { ocsfEvent } from './ocsf.js';

/** Writes rows as text, a line or more for each. */
export interface TextFormat {
  readonly extension: string;
  readonly header?: string;
  write(row: LedgerRow): string;
}

const columns = [...ledgerColumns];

function cellOf(value: Json | undefined, kind: string): string | number | null {
  if (value === null || value === undefined) return null;
  if (kind === 'timestamp') return new Date(value as number).toISOString();
  return typeof value === 'number' || typeof value === 'string' ? value : JSON.stringify(value);
}

/** Formats that are text. Only `ndjson` is what was hashed, byte for byte. */
export const textFormats = {
  ndjson: { extension: 'ndjson', write: (row) => `${rowText(row)}\n` },
  csv: {
    extension: 'csv',
    header: csvRow(columns.map(([name]) => name)),
    write: (row) => csvRow(columns.map(([name, kind]) => cellOf(row[name], kind))),
  },
  ocsf: { extension: 'ocsf.ndjson', write: (row) => `${JSON.stringify(ocsfEvent(row))}\n` },
} as const satisfies Record<string, TextFormat>;
