import { InfrastructureUnavailable } from '@tributary/domain';
import { withDatabase } from '@tributary/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from './database.js';

const none = withDatabase();
const opened: Database[] = [];

function open(url = none.url, maxConnections = 3): Database {
  const database = new Database({ url, applicationName: 'spec', maxConnections, onIdleError: () => undefined });
  opened.push(database);
  return database;
}

afterAll(async () => {
  await Promise.all(opened.map((database) => database.close()));
});

describe('Database', () => {
  let database: Database;
  beforeAll(async () => {
    database = open();
    await database.query('CREATE TABLE note (id int PRIMARY KEY, text text)');
  });

  it('commits what a transaction did, and takes it back when it fails', async () => {
    await database.transaction(async (query) => {
      await query('INSERT INTO note VALUES (1, $1)', ['kept']);
    });
    const failing = database.transaction(async (query) => {
      await query('INSERT INTO note VALUES (2, $1)', ['lost']);
      throw new TypeError('a mistake of ours');
    });
    await expect(failing).rejects.toThrow(TypeError);
    expect(await database.query('SELECT id FROM note')).toEqual([{ id: 1 }]);
  });

  it.each([
    ['a statement that does not parse', 'SELEC 1', '42601'],
    ['a missing table', 'SELECT * FROM nowhere', '42P01'],
    ['a key that is there already', "INSERT INTO note VALUES (9, 'a'), (9, 'b')", '23505'],
    ['text that it cannot hold', "SELECT E'\\\\x00'::text || convert_from('\\x00', 'UTF8')", '22021'],
  ])('leaves %s to be told from an outage', async (_, statement, code) => {
    await expect(database.query(statement)).rejects.toMatchObject({ code });
    await expect(database.transaction((query) => query(statement))).rejects.toMatchObject({ code });
  });

  it.each([
    ['a statement that was cancelled', "SET LOCAL statement_timeout = '20ms'; SELECT pg_sleep(60)"],
    ['a server that only reads', 'SET TRANSACTION READ ONLY; CREATE TABLE other (id int)'],
    ['its own end', 'SELECT pg_terminate_backend(pg_backend_pid())'],
  ])('calls %s an outage, and goes on afterwards', async (_, statements) => {
    const asked = database.transaction(async (query) => {
      for (const statement of statements.split('; ')) await query(statement);
    });
    await expect(asked).rejects.toThrow(InfrastructureUnavailable);
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('a connection that is cut between two statements fails its transaction alone, not the process', async () => {
    const cut = database.transaction(async (query) => {
      const [row] = await query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await database.query('SELECT pg_terminate_backend($1, 5000)', [row?.pid]);
      await query('SELECT 1');
    });
    await expect(cut).rejects.toThrow(InfrastructureUnavailable);
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('calls a server that is not there an outage', async () => {
    const url = new URL(none.url);
    url.port = '1';
    const absent = open(url.href);
    await expect(absent.query('SELECT 1')).rejects.toThrow(InfrastructureUnavailable);
    await expect(absent.transaction(async () => undefined)).rejects.toThrow(/PostgreSQL does not answer/);
  });

  it('gives a connection back after every failure', async () => {
    const small = open(none.url, 1);
    for (const statement of ['SELEC 1', 'SELECT pg_terminate_backend(pg_backend_pid())', 'SELECT 1/0']) {
      await expect(small.transaction((query) => query(statement))).rejects.toThrow();
    }
    expect(await small.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});
