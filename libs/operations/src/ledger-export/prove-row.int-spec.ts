import { randomUUID } from 'node:crypto';
import {
  type Checkpoint,
  generateKey,
  parseSigningKey,
  parseVerifyingKey,
  signCheckpoint,
  verifyRowProof,
  writeRowProof,
} from '@tributary/ledger';
import { type Database, Ledger, LedgerRows, LedgerTrees, RetiredRows } from '@tributary/persistence';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { anAcceptedRecord } from '../../../persistence/src/testing/an-accepted-record.js';
import { withMigratedDatabase } from '../../../persistence/src/testing/migrated-database.js';
import { oneDataKey } from '../../../persistence/src/testing/one-data-key.js';
import { tamper } from '../../../persistence/src/testing/tamper.js';
import { proveRow, RowNotProvable, type RowProofQuestion } from './prove-row.js';

const held = withMigratedDatabase();
const log = 'acme.example/ledger';
const keyPair = generateKey(log);
const signing = parseSigningKey(keyPair.signingKey);
const verifying = parseVerifyingKey(keyPair.verifyingKey);
const january = Date.UTC(2026, 0, 15);
let database: Database;
let ledger: Ledger;
let published: Checkpoint[];

beforeAll(() => {
  ({ database } = held);
  ledger = new Ledger({ database, dataKeys: oneDataKey() });
});
beforeEach(async () => {
  published = [];
  await tamper(
    database,
    'TRUNCATE ledger.audit_record, ledger.position, ledger.destination_month, ledger.tree, ledger.tree_node, ledger.retirement, ledger.retired_row, ledger.retention, ledger.legal_hold',
  );
});

const write = (from: number, to: number, partition = 0): Promise<unknown> =>
  ledger.write(
    Array.from({ length: to - from }, (_, i) => ({
      partition,
      offset: BigInt(from + i),
      timestampMs: january + from + i,
      record: anAcceptedRecord(from + i, {
        occurredAtMs: january + from + i,
        tenant: (from + i) % 4 === 0 ? 'other' : 'acme',
        subject: `person-${from + i}`,
      }),
    })),
  );

async function sign(partition = 0, firstOffset = 0): Promise<Checkpoint> {
  const trees = new LedgerTrees(database);
  await trees.begin(partition, firstOffset);
  const state = await trees.extend(partition);
  if (!state) throw new Error('there is no tree');
  const { size, root } = state;
  const head = { tree: { log, partition, firstOffset: state.firstOffset }, size, root, signedAtMs: january + size };
  const checkpoint = signCheckpoint(head, [signing]);
  published.push(checkpoint);
  return checkpoint;
}

const prove = (question: RowProofQuestion, through: Pick<Database, 'query' | 'transaction'> = database) =>
  proveRow(
    {
      rows: new LedgerRows(through),
      trees: new LedgerTrees(through),
      retired: new RetiredRows(through),
      notes: async () => published.map(({ note }) => note),
    },
    question,
  );

const verify = (proof: Awaited<ReturnType<typeof prove>>) =>
  verifyRowProof({ bytes: Buffer.from(writeRowProof(proof), 'utf8'), keys: [verifying] });

async function refusal(question: RowProofQuestion): Promise<string> {
  const error = await prove(question).then(
    () => new Error('a proof was made'),
    (failure: Error) => failure,
  );
  expect(error).toBeInstanceOf(RowNotProvable);
  return error.message;
}

describe('the proof of a row of the database', () => {
  it('is verified with nothing but the public key, under the newest checkpoint', async () => {
    await write(12, 300);
    const kept = await sign(0, 12);
    await write(300, 900);
    const newest = await sign(0, 12);
    // Not signed yet: no concern of the others.
    await write(900, 910);
    await new LedgerTrees(database).extend(0);
    // A longer tree that begins at the same offset.
    await write(12, 1_000, 1);
    await sign(1, 12);
    for (const offset of [12, 13, 299, 300, 600, 899]) {
      const proof = await prove({ partition: 0, offset, kept });
      expect(proof).toMatchObject({ index: offset - 12, size: 888, checkpoint: newest.note });
      expect(JSON.parse(proof.row)).toMatchObject({ audit_offset: offset, audit_partition: 0 });
      expect(verify(proof)).toMatchObject({ holds: true, findings: [], earlier: { size: 288 } });
      expect(verify(await prove({ partition: 0, offset }))).toMatchObject({ holds: true, earlier: null });
    }
    expect(verify(await prove({ partition: 0, offset: 20, kept: newest })).findings).toEqual([]);
  });

  it('reads some hundred hashes, not the ledger', async () => {
    await write(0, 3_000);
    const kept = await sign();
    await write(3_000, 6_000);
    await sign();
    let read = 0;
    const counting: Pick<Database, 'query' | 'transaction'> = {
      query: async (text, values, name) => {
        const rows = await database.query<never>(text, values, name);
        read += rows.length;
        return rows;
      },
      transaction: (work) => database.transaction(work),
    };
    expect(verify(await prove({ partition: 0, offset: 1_500 }, counting)).holds).toBe(true);
    expect(read).toBeLessThan(700);
    read = 0;
    expect(verify(await prove({ partition: 0, offset: 1_500, kept }, counting)).holds).toBe(true);
    expect(read).toBeLessThan(1_400);
  });

  it('needs no row but its own: its neighbours may be retired, it may not', async () => {
    await write(0, 300);
    const kept = await sign();
    const retired = new RetiredRows(database);
    const act = { id: randomUUID(), what: 'retention:other/acceptance', actor: 'spec', reason: 'its time is over' };
    await retired.begin(act);
    expect(await retired.retire(act.id, { tenant: 'other', class: 'acceptance' }, new Date(january + 200))).toBe(50);
    expect(verify(await prove({ partition: 0, offset: 41, kept })).findings).toEqual([]);
    expect(await refusal({ partition: 0, offset: 40 })).toContain('was retired');
  });
});

describe('no proof is made', () => {
  it('of a row that is not there', async () => {
    expect(await refusal({ partition: 0, offset: 3 })).toContain('no tree of partition 0');
    await write(12, 20);
    await sign(0, 12);
    for (const offset of [11, 20]) {
      expect(await refusal({ partition: 0, offset })).toContain('its tree has 8 rows from offset 12 on');
    }
    expect(await refusal({ partition: 1, offset: 12 })).toContain('no tree of partition 1');
    await tamper(database, 'DELETE FROM ledger.audit_record WHERE audit_offset = 15');
    expect(await refusal({ partition: 0, offset: 15 })).toContain('is missing though its tree has it');
  });

  it('of a row that nobody signed yet', async () => {
    await write(0, 10);
    await new LedgerTrees(database).begin(0, 0);
    await new LedgerTrees(database).extend(0);
    expect(await refusal({ partition: 0, offset: 3 })).toContain('AUDIT_SIGNING_KEY');
    await sign();
    await write(10, 12);
    expect(await refusal({ partition: 0, offset: 11 })).toContain('The next is due AUDIT_CHECKPOINT_SECONDS');
    await sign();
    expect(verify(await prove({ partition: 0, offset: 11 })).holds).toBe(true);
  });

  it('for a checkpoint of another tree, of a longer one, or of another story', async () => {
    await write(0, 10);
    await write(0, 5, 1);
    const [first, other] = [await sign(), await sign(1)];
    await write(10, 20);
    await sign();
    const question = { partition: 0, offset: 3 };
    expect(await refusal({ ...question, kept: other })).toContain(`of the tree ${log}/1/0`);
    expect(await refusal({ ...question, kept: { ...first, size: 21 } })).toContain('signs 21 rows');
    expect(await refusal({ ...question, kept: { ...first, root: Buffer.alloc(32, 7) } })).toContain(
      'do not begin with the 10 rows',
    );
  });

  it.each<[string, string[], string]>([
    [
      'was edited',
      ["UPDATE ledger.audit_record SET outcome = 'x' WHERE audit_offset = 41"],
      'does not lead to what was signed',
    ],
    [
      'has a neighbour whose hash was edited',
      ["UPDATE ledger.audit_record SET leaf_hash = sha256('x') WHERE audit_offset = 40"],
      'does not lead to what was signed',
    ],
    [
      'is there twice',
      [
        'INSERT INTO ledger.audit_record SELECT (r).* FROM (SELECT jsonb_populate_record(a, \'{"recorded_at": "2026-01-15T00:00:01Z"}\') AS r FROM ledger.audit_record a WHERE audit_offset = 41) AS x',
      ],
      'has 2 rows',
    ],
    ['is in a ledger that was set back', ['UPDATE ledger.tree SET size = 299'], 'the ledger was set back'],
  ])('of a row that %s', async (_, statements, message) => {
    await write(0, 300);
    await sign();
    await tamper(database, ...statements);
    expect(await refusal({ partition: 0, offset: 41 })).toContain(message);
  });
});
