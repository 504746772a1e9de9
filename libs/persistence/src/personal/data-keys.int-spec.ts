import { randomUUID } from 'node:crypto';
import { withDatabase } from '@tributary/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../database.js';
import { DataKeys, dataKeyCachedForMs } from './data-keys.js';
import { prepareKeyDatabase } from './key-database.js';
import { KeyNotHeld, LedgerKeys } from './ledger-keys.js';
import { PersonalReader } from './personal-reader.js';
import { sealPersonal } from './sealed-personal.js';

const held = withDatabase();
const file = LedgerKeys.generate('first');
const keys = LedgerKeys.parse(file);
let database: Database;
let nowMs = Date.now();

beforeAll(async () => {
  await Promise.all([prepareKeyDatabase(held.url), prepareKeyDatabase(held.url)]);
  database = new Database({ url: held.url, applicationName: 'spec', maxConnections: 8, onIdleError: () => undefined });
});
afterAll(() => database.close());

const open = (with_: LedgerKeys = keys) => new DataKeys({ database, keys: with_, nowMs: () => nowMs });
const aSubject = () => ({ tenant: 'acme', name: `subject ${randomUUID()}` });
const indexOf = ({ tenant, name }: ReturnType<typeof aSubject>) => keys.indexOf(tenant, name);
const plain = (key: { export(): Buffer }) => key.export().toString('hex');

describe('DataKeys', () => {
  it('makes one key a subject, though many writers need it at once', async () => {
    const subjects = Array.from({ length: 50 }, aSubject);
    const all = await Promise.all(Array.from({ length: 8 }, () => open().forWriting([...subjects, ...subjects])));
    const first = all[0]?.map(({ key }) => plain(key));
    for (const found of all) expect(found.map(({ key }) => plain(key))).toEqual(first);
    expect(new Set(first).size).toBe(50);
  });

  it('asks once for what it remembers, and again after a while', async () => {
    const subject = aSubject();
    const dataKeys = open();
    const [before] = await dataKeys.forWriting([subject]);
    await open().erase(subject.tenant, indexOf(subject));
    expect((await dataKeys.forWriting([subject]))[0]?.generation).toBe(before?.generation);
    nowMs += dataKeyCachedForMs + 1;
    expect((await dataKeys.forWriting([subject]))[0]?.generation).toBe(2);
  });

  it('opens nothing of an erased subject, and everything that is written about it later', async () => {
    const subject = aSubject();
    const index = indexOf(subject);
    const [old] = await open().forWriting([subject]);
    const sealed = sealPersonal(old!, { subject: 'ada' });
    expect(await open().erase(subject.tenant, index)).toBe(1);
    expect(await open().count(index)).toEqual({ held: 0, erased: 1 });
    const [later] = await open().forWriting([subject]);
    expect(later).toMatchObject({ generation: 2, erasedUntilMs: expect.any(Number) });
    expect(Math.abs((later?.erasedUntilMs ?? 0) - Date.now())).toBeLessThan(60_000);
    const rows = [sealed, sealPersonal(later!, { subject: 'ada' })].map((personal) => ({
      subject_index: index,
      personal,
    }));
    expect(await new PersonalReader(open()).open(rows)).toEqual([
      { state: 'erased' },
      { state: 'open', fields: { subject: 'ada' } },
    ]);
  });

  it('remembers the erasure of a subject that had no key yet', async () => {
    const subject = aSubject();
    expect(await open().erase(subject.tenant, indexOf(subject))).toBe(0);
    const [key] = await open().forWriting([subject]);
    expect(key?.erasedUntilMs).toBeGreaterThan(0);
  });

  it('wraps new keys under the first key of its file, and reads those of all', async () => {
    const [old, fresh] = [aSubject(), aSubject()];
    const [before] = await open().forWriting([old]);
    const rotated = LedgerKeys.parse(`second ${'5'.repeat(64)}\n${file}`);
    const [after] = await open(rotated).forWriting([old]);
    expect(plain(after!.key)).toBe(plain(before!.key));
    await open(rotated).forWriting([fresh]);
    await expect(open().forWriting([fresh])).rejects.toThrow(KeyNotHeld);
  });

  it('does not take the wrapped key of another subject', async () => {
    const [one, other] = [aSubject(), aSubject()];
    await open().forWriting([one, other]);
    await database.query(
      `UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE subject_index = $1) WHERE subject_index = $2`,
      [indexOf(one), indexOf(other)],
    );
    await expect(open().forWriting([other])).rejects.toThrow();
  });
});
