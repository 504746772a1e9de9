import { InfrastructureUnavailable } from '@tributary/domain';
import pg from 'pg';
import { CopyIn } from './copy-in.js';
import { addressAt } from './database-address.js';

export interface DatabaseOptions {
  /** Or `file:<path>` of a file that holds it, or what says it: asked for every connection. */
  readonly url: string | (() => string);
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  readonly maxConnections: number;
  /** Called when an idle connection breaks; the pool replaces it. */
  readonly onIdleError: (error: Error) => void;
}

/** SQLSTATE classes that tell of trouble that passes: connection, resources, operator intervention, serialization, locks. */
const transientClasses = ['08', '53', '57', '58', '40', '55'];
/** A failover leaves us on a server that only reads, for a while. */
const readOnly = '25006';
const sqlState = /^[0-9A-Z]{5}$/;

/** Sends rows to a `COPY … FROM STDIN`. */
export type CopyRows = (statement: string, chunks: readonly Buffer[]) => Promise<void>;

/** A PostgreSQL pool whose errors tell an outage from our own mistakes. */
export class Database {
  private readonly pool: pg.Pool;

  constructor(options: DatabaseOptions) {
    this.pool = new pg.Pool({
      application_name: options.applicationName,
      max: options.maxConnections,
      connectionTimeoutMillis: 3_000,
      idleTimeoutMillis: 30_000,
      statement_timeout: 30_000,
      query_timeout: 35_000,
      keepAlive: true,
    });
    const get = typeof options.url === 'string' ? addressAt(options.url) : options.url;
    // The pool copies what it is given and hands the copy to each new connection: there the address is looked up again.
    Object.defineProperty(this.pool.options, 'connectionString', { enumerable: true, get });
    this.pool.on('error', options.onIdleError);
  }

  /** @throws InfrastructureUnavailable when the database does not answer; pg's error when the statement is wrong. */
  async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = [], name?: string): Promise<Row[]> {
    try {
      const result = await this.pool.query<Row>({ text, values, ...(name !== undefined && { name }) });
      return result.rows;
    } catch (error) {
      throw classified(error);
    }
  }

  /** Runs in one transaction on one connection. */
  async transaction<T>(work: (query: Database['query'], copyIn: CopyRows) => Promise<T>): Promise<T> {
    const client = await this.pool.connect().catch((error) => {
      throw classified(error);
    });
    let broken = true;
    // A connection that breaks says so here too, besides failing its query; unheard, that would end the process.
    const onError = () => {
      broken = true;
    };
    client.on('error', onError);
    try {
      await client.query('BEGIN');
      const result = await work(
        queryOn(client),
        (statement, chunks) => client.query(new CopyIn(statement, chunks)).done,
      );
      await client.query('COMMIT');
      broken = false;
      return result;
    } catch (error) {
      broken = await client.query('ROLLBACK').then(
        () => false,
        () => true,
      );
      throw classified(error);
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}

const queryOn =
  (client: pg.PoolClient): Database['query'] =>
  async (text, values = [], name) => {
    const answer = await client.query({ text, values, ...(name !== undefined && { name }) });
    return answer.rows as never;
  };

function classified(error: unknown): unknown {
  const code = (error as { code?: unknown }).code;
  const isSqlState = typeof code === 'string' && sqlState.test(code) && !code.startsWith('E');
  if (isSqlState && code !== readOnly && !transientClasses.includes(code.slice(0, 2))) return error;
  if (error instanceof TypeError || error instanceof RangeError) return error;
  return new InfrastructureUnavailable('PostgreSQL', error);
}
