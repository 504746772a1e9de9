import { Frontier, isStoredLevel, type RangeRoot, rangeRoots } from '@tributary/ledger';
import type { Database } from '../database.js';

export interface TreeExtent {
  readonly partition: number;
  /** Offset of leaf 0. */
  readonly firstOffset: number;
  readonly size: number;
}

export interface TreeState extends TreeExtent {
  readonly root: Buffer;
  /** Rows stand behind a gap: the tree cannot grow over an offset that has no row. */
  readonly isHeldByGap: boolean;
}

type Query = Database['query'];

interface Stored {
  readonly firstOffset: number;
  readonly size: number;
  readonly frontier: Frontier;
}

interface Node {
  readonly level: number;
  readonly index: number;
  readonly hash: Buffer;
}

/** Rows that one step reads: 320 kB of hashes. */
const leavesAtOnce = 10_000;

/** The trees over the rows that are there. Two who extend the same tree wait for each other and go on where the other ended. */
export class LedgerTrees {
  constructor(private readonly database: Pick<Database, 'query' | 'transaction'>) {}

  async find(partition: number): Promise<TreeState | undefined> {
    const stored = await read(this.query, partition, '');
    return stored && stateOf(partition, stored, false);
  }

  /** As they say of themselves: who verifies them must not stumble over a frontier that somebody changed. */
  async all(): Promise<TreeExtent[]> {
    const rows = await this.query<{ audit_partition: number; first_offset: string; size: string }>(
      'SELECT audit_partition, first_offset::text, size::text FROM ledger.tree ORDER BY 1',
    );
    return rows.map((row) => ({
      partition: row.audit_partition,
      firstOffset: Number(row.first_offset),
      size: Number(row.size),
    }));
  }

  /** Begins a tree, unless there is one. `lowOffset` is where the topic's partition begins now. */
  async begin(partition: number, lowOffset: number): Promise<void> {
    // Rows may be older than what the topic still has; what is older than both, nobody knows.
    await this.query(
      `INSERT INTO ledger.tree (audit_partition, first_offset, size, frontier)
       SELECT $1, least($2::bigint, (SELECT min(audit_offset) FROM ledger.audit_record WHERE audit_partition = $1)), 0, ''::bytea
       ON CONFLICT DO NOTHING`,
      [partition, lowOffset],
    );
  }

  /** Adds the rows that stand right behind the tree, all of them. Durable when it returns. */
  async extend(partition: number): Promise<TreeState | undefined> {
    for (;;) {
      const step = await this.database.transaction((query) => extendOnce(query, partition));
      if (!step || step.added < leavesAtOnce) return step?.state;
    }
  }

  /** Roots of ranges of leaves, for proofs. */
  rootsOf({ partition, firstOffset }: Pick<TreeExtent, 'partition' | 'firstOffset'>): RangeRoot {
    return rangeRoots((level, from, to) =>
      level === 0
        ? this.leaves(partition, firstOffset + from, firstOffset + to)
        : this.nodes(partition, level, from, to),
    );
  }

  /** Leaf hashes of the offsets [from, to), in order, those of retired rows too; fewer where rows are missing. */
  async leaves(partition: number, from: number, to: number): Promise<Buffer[]> {
    return (await this.leafHashes(partition, from, to)).map(({ hash }) => hash);
  }

  async leafHashes(partition: number, from: number, to: number): Promise<{ offset: number; hash: Buffer }[]> {
    const rows = await this.query<{ audit_offset: string; leaf_hash: Buffer }>(
      `SELECT audit_offset::text, leaf_hash FROM ledger.leaf
       WHERE audit_partition = $1 AND audit_offset >= $2 AND audit_offset < $3 ORDER BY leaf.audit_offset`,
      [partition, from, to],
    );
    return rows.map((row) => ({ offset: Number(row.audit_offset), hash: row.leaf_hash }));
  }

  private async nodes(partition: number, level: number, from: number, to: number): Promise<Buffer[]> {
    const rows = await this.query<{ hash: Buffer }>(
      `SELECT hash FROM ledger.tree_node
       WHERE audit_partition = $1 AND level = $2 AND node >= $3 AND node < $4 ORDER BY node`,
      [partition, level, from, to],
    );
    return rows.map((row) => row.hash);
  }

  private get query(): Query {
    return (text, values, name) => this.database.query(text, values, name);
  }
}

async function extendOnce(query: Query, partition: number): Promise<{ state: TreeState; added: number } | undefined> {
  // Whoever has this row extends the tree; a second one waits here and then finds what the first one added.
  const stored = await read(query, partition, 'FOR UPDATE');
  if (!stored) return undefined;
  const { frontier, size, firstOffset } = stored;
  const { hashes, leaves, behind } = await nextLeaves(query, partition, firstOffset + size);
  const nodes: Node[] = [];
  for (let i = 0; i < leaves; i++) {
    frontier.append(hashes.subarray(i * 32, i * 32 + 32), (level, index, hash) => {
      if (isStoredLevel(level)) nodes.push({ level, index, hash });
    });
  }
  if (leaves > 0) await write(query, partition, size, frontier, nodes);
  const isHeldByGap = leaves === 0 && behind > 0;
  return { added: leaves, state: stateOf(partition, { ...stored, size: frontier.size }, isHeldByGap) };
}

async function read(query: Query, partition: number, lock: '' | 'FOR UPDATE'): Promise<Stored | undefined> {
  const [row] = await query<{ first_offset: string; size: string; frontier: Buffer }>(
    `SELECT first_offset::text, size::text, frontier FROM ledger.tree WHERE audit_partition = $1 ${lock}`,
    [partition],
  );
  if (!row) return undefined;
  const size = Number(row.size);
  return { firstOffset: Number(row.first_offset), size, frontier: Frontier.of(size, row.frontier) };
}

interface NextLeaves {
  readonly hashes: Buffer;
  readonly leaves: number;
  /** Rows from `from` on that were looked at, also those behind a gap. */
  readonly behind: number;
}

/** The hashes of the rows at `from`, `from` + 1, ... up to the first offset that has no row, or two. */
async function nextLeaves(query: Query, partition: number, from: number): Promise<NextLeaves> {
  const [row] = await query<{ leaves: number; behind: number; hashes: Buffer | null }>(
    `SELECT count(*) FILTER (WHERE is_next)::int AS leaves, count(*)::int AS behind,
            string_agg(leaf_hash, ''::bytea ORDER BY n) FILTER (WHERE is_next) AS hashes
     FROM (
       SELECT leaf_hash, n, bool_and(audit_offset = $2 + n - 1) OVER (ORDER BY n) AS is_next
       FROM (
         SELECT audit_offset, leaf_hash, row_number() OVER (ORDER BY audit_offset) AS n
         FROM (SELECT audit_offset, leaf_hash FROM ledger.audit_record
               WHERE audit_partition = $1 AND audit_offset >= $2::bigint ORDER BY audit_offset LIMIT ${leavesAtOnce}) AS next
       ) AS numbered
     ) AS looked_at`,
    [partition, from],
    'ledger-next-leaves',
  );
  return { hashes: row?.hashes ?? Buffer.alloc(0), leaves: row?.leaves ?? 0, behind: row?.behind ?? 0 };
}

async function write(
  query: Query,
  partition: number,
  sizeBefore: number,
  frontier: Frontier,
  nodes: readonly Node[],
): Promise<void> {
  if (nodes.length > 0) {
    await query(
      `INSERT INTO ledger.tree_node (audit_partition, level, node, hash)
       SELECT $1, * FROM unnest($2::smallint[], $3::bigint[], $4::bytea[])`,
      [partition, nodes.map(({ level }) => level), nodes.map(({ index }) => index), nodes.map(({ hash }) => hash)],
    );
  }
  const updated = await query(
    'UPDATE ledger.tree SET size = $3, frontier = $4, updated_at = now() WHERE audit_partition = $1 AND size = $2 RETURNING 1',
    [partition, sizeBefore, frontier.size, frontier.toBytes()],
  );
  if (updated.length !== 1) {
    throw new Error(
      `the tree of partition ${partition} is not of ${sizeBefore} leaves any more, though its row was locked`,
    );
  }
}

const stateOf = (partition: number, { firstOffset, size, frontier }: Stored, isHeldByGap: boolean): TreeState => ({
  partition,
  firstOffset,
  size,
  root: frontier.root(),
  isHeldByGap,
});
