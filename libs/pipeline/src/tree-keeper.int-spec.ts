import {
  type Checkpoint,
  generateKey,
  openCheckpoint,
  parseSigningKey,
  parseVerifyingKey,
  signCheckpoint,
} from '@tributary/ledger';
import { type Database, Ledger, LedgerTrees } from '@tributary/persistence';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { anAcceptedRecord } from '../../persistence/src/testing/an-accepted-record.js';
import { withMigratedDatabase } from '../../persistence/src/testing/migrated-database.js';
import { tamper } from '../../persistence/src/testing/tamper.js';
import { TreeKeeper } from './tree-keeper.js';

const held = withMigratedDatabase();
const log = 'acme.example/ledger';
const keyPair = generateKey(log);
const signing = parseSigningKey(keyPair.signingKey);
const verifying = parseVerifyingKey(keyPair.verifyingKey);
let database: Database;
let ledger: Ledger;

beforeAll(() => {
  ({ database } = held);
  // No record here has anything personal.
  ledger = new Ledger({ database, dataKeys: { forWriting: async () => [] } });
});
beforeEach(() =>
  tamper(
    database,
    'TRUNCATE ledger.audit_record, ledger.position, ledger.destination_month, ledger.tree, ledger.tree_node',
  ),
);

const january = Date.UTC(2026, 0, 15);

async function writeRows(from: number, to: number, partition = 0): Promise<void> {
  const entries = Array.from({ length: to - from }, (_, i) => ({
    partition,
    offset: BigInt(from + i),
    timestampMs: january,
    record: anAcceptedRecord(from + i, { origin: { topic: 'raw.gusto.v1', partition, offset: from + i } }),
  }));
  for (let at = 0; at < entries.length; at += 2_000) await ledger.write(entries.slice(at, at + 2_000));
}

interface World {
  readonly keeper: TreeKeeper;
  readonly published: Checkpoint[];
  readonly problems: string[];
}

/** Several keepers may share what is published. */
function aKeeper({
  published = [] as Checkpoint[],
  partitions = [0],
  low = 0,
  key = signing,
  nowMs = () => january,
  former = [] as (typeof verifying)[],
} = {}): World {
  const problems: string[] = [];
  return {
    published,
    problems,
    keeper: new TreeKeeper(log, {
      trees: new LedgerTrees(database),
      lowOffset: async () => low,
      partitions: () => partitions,
      lastNote: (partition) => published.findLast(({ tree }) => tree.partition === partition)?.note,
      keys: () => ({ signing: key, former }),
      publish: async (checkpoint) => void published.push(checkpoint),
      nowMs,
      logger: {
        debug: () => undefined,
        info: () => undefined,
        warn: (fields) => void problems.push(String((fields as { error?: Error }).error?.message)),
        error: (fields) => void problems.push(String((fields as { problem?: string }).problem)),
      },
    }),
  };
}

describe('the tree keeper', () => {
  it('signs what the rows lead to, and only what is new', async () => {
    const { keeper, published, problems } = aKeeper({ partitions: [0, 1] });
    await writeRows(0, 700);
    await writeRows(0, 3, 1);
    await keeper.keep();
    await keeper.keep();
    await writeRows(700, 26_000);
    await keeper.keep();
    expect(published.map(({ tree, size }) => [tree.partition, size])).toEqual([
      [0, 700],
      [1, 3],
      [0, 26_000],
    ]);
    expect(problems).toEqual([]);
    const trees = new LedgerTrees(database);
    const tree = await trees.find(0);
    expect(tree?.root).toEqual(published[2]?.root);
    // Out of the stored nodes and the rows' hashes, not out of the frontier that was signed.
    const rootOf = trees.rootsOf({ partition: 0, firstOffset: 0 });
    expect(await rootOf(0, 26_000)).toEqual(published[2]?.root);
    expect(await rootOf(0, 700)).toEqual(published[0]?.root);
    expect(openCheckpoint(published[2]?.note ?? '', [verifying])).toEqual(published[2]);
  });

  it('takes rows up to a gap only, and says so when the gap stays', async () => {
    const world = aKeeper();
    await writeRows(0, 10);
    await writeRows(11, 20);
    await world.keeper.keep();
    expect(world.published.at(-1)?.size).toBe(10);
    for (let i = 0; i < 3; i++) await world.keeper.keep();
    expect(world.problems.at(-1)).toContain('offset 10 has no row');
    expect(world.keeper.refusedTrees).toBe(1);
    await writeRows(10, 11);
    await world.keeper.keep();
    expect(world.published.at(-1)?.size).toBe(20);
    expect(world.keeper.refusedTrees).toBe(0);
  });

  it('begins where the topic began', async () => {
    await writeRows(40, 50);
    const { keeper, published } = aKeeper({ low: 40 });
    await keeper.keep();
    expect(published[0]?.tree).toEqual({ log, partition: 0, firstOffset: 40 });
  });

  it('begins with the oldest row where the topic has forgotten it', async () => {
    await writeRows(3, 50);
    const { keeper, published } = aKeeper({ low: 40 });
    await keeper.keep();
    expect(published[0]).toMatchObject({ tree: { firstOffset: 3 }, size: 47 });
  });

  it('makes one tree of what several keepers do at once', async () => {
    const published: Checkpoint[] = [];
    const keepers = Array.from({ length: 4 }, () => aKeeper({ published }));
    for (let at = 0; at < 3_000; at += 600) {
      await writeRows(at, at + 600);
      await Promise.all(keepers.map(({ keeper }) => keeper.keep()));
    }
    expect(keepers.flatMap(({ problems }) => problems)).toEqual([]);
    const rootOf = new LedgerTrees(database).rootsOf({ partition: 0, firstOffset: 0 });
    for (const { size, root } of published) expect(root).toEqual(await rootOf(0, size));
    expect(published.at(-1)?.size).toBe(3_000);
  });

  it.each<[string, () => Promise<unknown>, string]>([
    [
      'an edited row and everything above it',
      async () => {
        await tamper(database, "UPDATE ledger.audit_record SET leaf_hash = sha256('x') WHERE audit_offset = 3");
        await database.query('TRUNCATE ledger.tree, ledger.tree_node');
      },
      'the ledger was rewritten',
    ],
    [
      'a ledger that was set back',
      async () => {
        await tamper(database, 'DELETE FROM ledger.audit_record WHERE audit_offset >= 400');
        await database.query('TRUNCATE ledger.tree, ledger.tree_node');
      },
      'the ledger was set back',
    ],
    [
      'a tree that begins elsewhere',
      async () => {
        await tamper(database, 'DELETE FROM ledger.audit_record WHERE audit_offset < 5');
        await database.query('TRUNCATE ledger.tree, ledger.tree_node');
      },
      'it is the tree acme.example/ledger/0/5',
    ],
  ])('does not sign %s', async (_, tamper, problem) => {
    const published: Checkpoint[] = [];
    await writeRows(0, 600);
    await aKeeper({ published }).keeper.keep();
    await tamper();
    const world = aKeeper({ published, low: 5 });
    await world.keeper.keep();
    await writeRows(600, 650);
    await world.keeper.keep();
    expect(published).toHaveLength(1);
    expect(world.problems[0]).toContain(problem);
    expect(world.keeper.refusedTrees).toBe(1);
  });

  it('goes on with a new key when it is given the old public key, and not without', async () => {
    const next = parseSigningKey(generateKey(log).signingKey);
    const published: Checkpoint[] = [];
    await writeRows(0, 5);
    await aKeeper({ published }).keeper.keep();
    await writeRows(5, 9);
    const without = aKeeper({ published, key: next });
    await without.keeper.keep();
    expect(without.problems[0]).toContain('AUDIT_PUBLIC_KEYS_FILE');
    expect(without.keeper.refusedTrees).toBe(1);
    await aKeeper({ published, key: next, former: [verifying] }).keeper.keep();
    expect(published.map(({ size }) => size)).toEqual([5, 9]);
    expect(openCheckpoint(published[1]?.note ?? '', [next.verifying]).size).toBe(9);
  });

  it('is not led astray by a checkpoint that somebody else published', async () => {
    await writeRows(0, 5);
    const stranger = parseSigningKey(generateKey(log).signingKey);
    const forged = signCheckpoint(
      { tree: { log, partition: 0, firstOffset: 0 }, size: 3, root: Buffer.alloc(32), signedAtMs: january },
      [stranger],
    );
    const world = aKeeper({ published: [forged] });
    await world.keeper.keep();
    expect(world.published).toEqual([forged]);
    expect(world.problems[0]).toContain('none of the given public keys');
  });

  it('says how long a tree is behind that cannot be kept, and 0 again when another has it', async () => {
    let nowMs = january;
    const partitions = [0, 1];
    const { keeper } = aKeeper({ partitions, nowMs: () => nowMs });
    await writeRows(0, 4, 0);
    await writeRows(0, 2, 1);
    await writeRows(3, 5, 1);
    expect(keeper.longestUnkeptMs).toBe(0);
    for (let round = 0; round < 5; round++) {
      await keeper.keep();
      nowMs += 10_000;
    }
    // A gap is nothing until it stays, so the first rounds passed.
    expect(keeper.longestUnkeptMs).toBe(30_000);
    partitions.pop();
    await keeper.keep();
    expect(keeper.longestUnkeptMs).toBe(0);
  });

  it('goes on with the other partitions when one is in trouble', async () => {
    await writeRows(0, 5);
    await writeRows(0, 5, 1);
    await database.query("INSERT INTO ledger.tree VALUES (0, 0, 5, '')");
    const { keeper, published, problems } = aKeeper({ partitions: [0, 1] });
    await keeper.keep();
    expect(published.map(({ tree }) => tree.partition)).toEqual([1]);
    expect(problems[0]).toContain('does not have a frontier');
  });
});
