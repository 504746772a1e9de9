import { Client } from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { testStack } from './test-stack.js';
import { uniqueName } from './unique-name.js';

export interface TestDatabase {
  /** Known once the file's `beforeAll` hooks run; read it in hooks and tests, not while the file is collected. */
  readonly url: string;
}

/** A database of its own for this test file (or `describe`), dropped afterwards even with clients still connected. */
export function withDatabase(): TestDatabase {
  let url: string | undefined;
  let name: string | undefined;
  beforeAll(async () => {
    name = uniqueName('test').replaceAll('-', '_');
    await onServer(`create database ${name}`);
    const own = new URL(testStack().postgres.url);
    own.pathname = `/${name}`;
    url = own.href;
  });
  afterAll(async () => {
    if (url) await onServer(`drop database if exists ${name} with (force)`);
  });
  return {
    get url() {
      if (url) return url;
      throw new Error('the test database is created in beforeAll; read its url in a hook or a test');
    },
  };
}

async function onServer(statement: string): Promise<void> {
  const client = new Client({ connectionString: testStack().postgres.url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
