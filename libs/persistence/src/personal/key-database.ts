import pg from 'pg';
import { addressAt, addressNow } from '../database-address.js';

export interface KeysAddress {
  /** Of the ledger. Either may be `file:<path>`. */
  readonly databaseUrl: string;
  /** Absent: a database beside the ledger's, named after it. */
  readonly keysDatabaseUrl: string | undefined;
}

/** Where the data keys are now, for who connects once. */
export const defaultKeysUrl = (ledgerUrl: string): string => besideLedger(addressNow(ledgerUrl));

/** Where they are, asked for every connection: the login that stands in a file may change, whichever of the two it is. */
export function keysAddressAt({ databaseUrl, keysDatabaseUrl }: KeysAddress): () => string {
  if (keysDatabaseUrl !== undefined) return addressAt(keysDatabaseUrl);
  const ledger = addressAt(databaseUrl);
  return () => besideLedger(ledger());
}

function besideLedger(address: string): string {
  const url = new URL(address);
  url.pathname = `${url.pathname}_keys`;
  return url.href;
}

const table = `
  CREATE TABLE IF NOT EXISTS data_key (
    subject_index bytea       NOT NULL,
    generation    integer     NOT NULL,
    tenant        text        COLLATE "C" NOT NULL,
    wrapped       bytea,
    kek_id        text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    erased_at     timestamptz,
    PRIMARY KEY (subject_index, generation),
    CHECK ((wrapped IS NULL) = (erased_at IS NOT NULL))
  )`;

const noSuchDatabase = '3D000';
const existsAlready = ['42P04', '23505'];

/** Creates the database of the data keys, if the server has none of that name, and its table. */
export async function prepareKeyDatabase(url: string): Promise<void> {
  const client = await connect(url).catch(async (error) => {
    if ((error as { code?: string }).code !== noSuchDatabase) throw error;
    await createDatabase(url);
    return connect(url);
  });
  try {
    await client.query('BEGIN');
    // Several may prepare at once, and two of "create if not exists" at the same time fail each other.
    await client.query("SELECT pg_advisory_xact_lock(hashtext('tributary.data_key'))");
    await client.query(table);
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: addressNow(url), connectionTimeoutMillis: 3_000 });
  await client.connect();
  return client;
}

async function createDatabase(url: string): Promise<void> {
  const name = decodeURIComponent(new URL(addressNow(url)).pathname.slice(1));
  const maintenance = new URL(addressNow(url));
  maintenance.pathname = '/postgres';
  const client = await connect(maintenance.href);
  try {
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (existsAlready.includes(code ?? '')) return;
    throw new Error(
      `the database ${name} of the data keys does not exist and cannot be created here (${message}): create it, or name another with KEYS_DATABASE_URL`,
      { cause: error },
    );
  } finally {
    await client.end();
  }
}
