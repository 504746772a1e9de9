import { withDatabase } from '@tributary/testing';
import { afterAll, beforeAll } from 'vitest';
import { Database } from '../database.js';
import { migrate } from '../migrate.js';

/** A database with our tables, for this test file alone; read it in hooks and tests. */
export function withMigratedDatabase(): { readonly database: Database; readonly url: string } {
  const held = withDatabase();
  let database: Database | undefined;
  beforeAll(async () => {
    await migrate(held.url);
    const options = { url: held.url, applicationName: 'spec', maxConnections: 8 };
    database = new Database({ ...options, onIdleError: () => undefined });
  });
  afterAll(() => database?.close());
  return {
    get url() {
      return held.url;
    },
    get database() {
      if (database) return database;
      throw new Error('the database is opened in beforeAll; read it in a hook or a test');
    },
  };
}
