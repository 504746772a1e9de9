import type { LedgerRow } from '@tributary/ledger';
import { ledgerColumns } from '@tributary/persistence';

/** Rows in memory at once: what a group of rows of the file holds. */
const rowGroupSize = 20_000;

const types = {
  timestamp: 'TIMESTAMP',
  bigint: 'INT64',
  int: 'INT32',
  text: 'STRING',
  json: 'JSON',
  bytes: 'BYTE_ARRAY',
} as const;

const values: Readonly<Record<keyof typeof types, (value: LedgerRow[string] | undefined) => unknown>> = {
  timestamp: (value) => new Date(value as number),
  bigint: (value) => BigInt(value as number),
  int: (value) => value,
  text: (value) => value ?? undefined,
  json: (value) => value,
  bytes: (value) => (typeof value === 'string' ? Buffer.from(value, 'base64') : undefined),
};

const columns = [...ledgerColumns].map(([name, kind]) => ({ name, kind, read: values[kind] }));

/** Writes rows as Parquet, in bounded memory. */
export async function writeParquet(
  rows: AsyncIterable<LedgerRow>,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  // Loaded only by who exports Parquet: services import this library too.
  const { ByteWriter, parquetWriteRows } = await import('hyparquet-writer');
  const buffered = new ByteWriter();
  const flush = async () => {
    const bytes = Buffer.from(buffered.getBytes());
    buffered.index = 0;
    await write(bytes);
  };
  await parquetWriteRows({
    writer: Object.assign(buffered, { flush, finish: flush }),
    rows: asValues(rows),
    columns: columns.map(({ name, kind }) => ({
      name,
      type: types[kind],
      nullable: kind === 'text' || kind === 'bytes',
    })),
    rowGroupSize,
    createdBy: 'tributary',
  });
}

async function* asValues(rows: AsyncIterable<LedgerRow>): AsyncGenerator<Record<string, unknown>, void> {
  for await (const row of rows) {
    yield Object.fromEntries(columns.map(({ name, read }) => [name, read(row[name])]));
  }
}
