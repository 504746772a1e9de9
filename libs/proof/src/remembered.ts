import { type Block, blockName, blockSize, blocksIn, joined, portions } from './block.js';
import { type BlockCount, type PartitionBounds, type TopicBounds, within } from './ledger-queries.js';
import type { Query } from './ports.js';

type Positions = Readonly<Record<string, number>>;

/** Where an earlier proof ended in each audit partition. */
interface Mark {
  readonly version: number;
  readonly positions: Positions;
}

/** Of what an index alone tells. */
const recountedAtOnce = 192;
/** So that a proof that goes on takes no longer the longer the ledger is: of more blocks, each has its turn. */
export const recountedAtMost = 2 * recountedAtOnce;

const nothing: Mark = { version: 0, positions: {} };

/**
 * What earlier proofs summed up. A block is used again while nothing that the ledger was told since is about it: then a proof that goes
 * on from here says what one that reads everything says.
 */
export class BlockSums {
  private readonly computed = new Map<string, Block>();
  private readonly refused = new Set<string>();

  private constructor(
    private readonly query: Query,
    private readonly mark: Mark,
    private readonly positions: Positions,
    private readonly known: ReadonlyMap<string, Block>,
    /** Blocks that are kept and must not be used. */
    private readonly stale: Set<string>,
  ) {}

  /** Remembers nothing, and is not remembered. */
  static fresh(query: Query): BlockSums {
    return new BlockSums(query, nothing, {}, new Map(), new Set());
  }

  /** @param isFull reads everything again, and replaces what was remembered. */
  static async open(query: Query, isFull: boolean): Promise<BlockSums> {
    const positions = await positionsOf(query);
    const [row] = await query<{ version: string; positions: Positions }>(
      'SELECT version::text, positions FROM ledger.proof_mark',
    );
    const mark = row ? { version: Number(row.version), positions: row.positions } : nothing;
    const known = await read(query);
    const stale = isFull ? new Set(known.keys()) : await touched(query, mark.positions, positions);
    return new BlockSums(query, mark, positions, known, stale);
  }

  /** Sums of the blocks that the bounds lie in. `compute` is asked for the spans that nobody remembers. */
  async of(
    topic: string,
    bounds: readonly PartitionBounds[],
    compute: (spans: readonly TopicBounds[]) => Promise<readonly BlockCount[]>,
  ): Promise<Block[]> {
    const wanted = bounds.flatMap((bound) => blocksIn(topic, bound));
    const missing = wanted.filter((one) => !this.usable(one));
    for (const some of portions(missing)) {
      const sums = sumsByBlock(await compute(joined(some)));
      for (const one of some) {
        const name = blockName(one);
        this.computed.set(name, { ...one, sums: sums.get(name) ?? {} });
      }
    }
    return wanted.map((one) => this.usable(one) ?? (this.computed.get(blockName(one)) as Block));
  }

  /**
   * Blocks that are kept, and of which there is another number than was summed up, are read again. Of many it is some, the next ones
   * with each proof that is remembered. `count` is asked in portions.
   */
  async recount(topic: string, what: string, count: (spans: readonly TopicBounds[]) => Promise<readonly BlockCount[]>) {
    const kept = [...this.known.values()].filter((one) => one.topic === topic && !this.stale.has(blockName(one)));
    for (const some of portions(inTurn(kept, this.mark.version), recountedAtOnce)) {
      const counts = sumsByBlock(await count(joined(some)));
      for (const block of some) {
        const name = blockName(block);
        if (counts.get(name)?.[what] !== block.sums[what]) this.stale.add(name);
      }
    }
  }

  /** Whether this block was computed by this proof, and not remembered. */
  isNew(block: Block): boolean {
    return this.computed.has(blockName(block));
  }

  /** Something in the block is not finished: a later proof must look at it again. */
  refuse(block: Pick<Block, 'topic' | 'partition' | 'block'>): void {
    this.refused.add(blockName(block));
  }

  /** Nothing is remembered when somebody else proved meanwhile: what they remember is newer. */
  async remember(): Promise<void> {
    const keep = [...this.computed].filter(([name]) => !this.refused.has(name)).map(([, block]) => block);
    const kept = new Set(keep.map(blockName));
    const drop = [...this.known.values()].filter((block) => {
      const name = blockName(block);
      return !kept.has(name) && (this.stale.has(name) || this.refused.has(name) || this.computed.has(name));
    });
    await this.query(remember, [
      this.mark.version,
      JSON.stringify(this.positions),
      JSON.stringify(drop.map(({ topic, partition, block }) => ({ topic, partition, block }))),
      JSON.stringify(keep),
    ]);
  }

  private usable(one: Omit<Block, 'sums'>): Block | undefined {
    const name = blockName(one);
    const known = this.known.get(name);
    if (!known || this.stale.has(name) || known.from !== one.from || known.to !== one.to) return undefined;
    return known;
  }
}

/** Those whose turn it is at this version: as many as may be, going round. */
function inTurn(blocks: readonly Block[], version: number): Block[] {
  if (blocks.length <= recountedAtMost) return [...blocks];
  const sorted = blocks.toSorted((a, b) => a.block - b.block || a.partition - b.partition);
  const from = (version * recountedAtMost) % sorted.length;
  return [...sorted.slice(from), ...sorted.slice(0, from)].slice(0, recountedAtMost);
}

const remember = `
  WITH taken AS (
    INSERT INTO ledger.proof_mark AS mark (version, positions) VALUES ($1::bigint + 1, $2::jsonb)
    ON CONFLICT (is_only) DO UPDATE SET version = EXCLUDED.version, positions = EXCLUDED.positions, proved_at = now()
    WHERE mark.version = $1 RETURNING 1
  ), dropped AS (
    DELETE FROM ledger.proof_block b
    USING jsonb_to_recordset($3::jsonb) AS d (topic text, partition int, block bigint)
    WHERE b.topic = d.topic AND b.partition = d.partition AND b.block = d.block AND EXISTS (SELECT FROM taken)
  )
  INSERT INTO ledger.proof_block (topic, partition, block, from_offset, to_offset, sums)
  SELECT topic, partition, block, "from", "to", sums
  FROM jsonb_to_recordset($4::jsonb) AS k (topic text, partition int, block bigint, "from" bigint, "to" bigint, sums jsonb)
  WHERE EXISTS (SELECT FROM taken)
  ON CONFLICT (topic, partition, block) DO UPDATE
  SET from_offset = EXCLUDED.from_offset, to_offset = EXCLUDED.to_offset, sums = EXCLUDED.sums`;

function sumsByBlock(counts: readonly BlockCount[]): Map<string, Record<string, number>> {
  const sums = new Map<string, Record<string, number>>();
  for (const one of counts) {
    const name = blockName(one);
    const known = sums.get(name) ?? {};
    known[one.what] = (known[one.what] ?? 0) + one.count;
    sums.set(name, known);
  }
  return sums;
}

async function positionsOf(query: Query): Promise<Positions> {
  const rows = await query<{ audit_partition: number; next: string }>(
    'SELECT audit_partition, next_offset::text AS next FROM ledger.position',
  );
  return Object.fromEntries(rows.map((row) => [String(row.audit_partition), Number(row.next)]));
}

async function read(query: Query): Promise<Map<string, Block>> {
  const rows = await query<{
    topic: string;
    partition: number;
    block: string;
    from: string;
    to: string;
    sums: Record<string, number>;
  }>(
    `SELECT topic, partition, block::text, from_offset::text AS "from", to_offset::text AS "to", sums FROM ledger.proof_block`,
  );
  return new Map(
    rows.map((row) => {
      const { topic, partition, sums } = row;
      const block = { topic, partition, sums, block: Number(row.block), from: Number(row.from), to: Number(row.to) };
      return [blockName(block), block];
    }),
  );
}

/** Blocks that something is about which the ledger was told between two sets of positions. */
async function touched(query: Query, before: Positions, now: Positions): Promise<Set<string>> {
  const spans = Object.entries(now)
    .map(([partition, to]) => ({ partition: Number(partition), from: before[partition] ?? 0, to }))
    .filter(({ from, to }) => from < to);
  if (spans.length === 0) return new Set();
  const values: unknown[] = [];
  const isNew = within(spans, { partition: 'r.audit_partition', offset: 'r.audit_offset' }, values);
  // What became of a delivery counts where it was planned; a second plan takes the delivery away from the first.
  const rows = await query<{ topic: string; partition: number; block: string }>(
    `WITH news AS (
       SELECT r.action, r.event_id, r.delivery_id, r.origin_topic, r.origin_partition, r.origin_offset FROM ledger.audit_record r
       WHERE ${isNew}
     ), events AS (
       SELECT event_id FROM news
       WHERE event_id IS NOT NULL AND action IN ('planned', 'settled', 'redriven', 'discarded')
       UNION
       -- An operator's act may name the delivery alone.
       SELECT r.event_id FROM news JOIN ledger.audit_record r ON r.delivery_id = news.delivery_id
       WHERE news.event_id IS NULL AND r.event_id IS NOT NULL
     ), places AS (
       SELECT origin_topic, origin_partition, origin_offset FROM news WHERE origin_topic IS NOT NULL
       UNION ALL
       SELECT p.origin_topic, p.origin_partition, p.origin_offset
       FROM events JOIN ledger.audit_record p ON p.event_id = events.event_id AND p.action = 'planned'
     )
     SELECT DISTINCT origin_topic AS topic, origin_partition AS partition, (origin_offset / ${blockSize})::text AS block FROM places`,
    values,
  );
  return new Set(rows.map(({ topic, partition, block }) => blockName({ topic, partition, block: Number(block) })));
}
