import type { Checkpoint, TreeName } from '../checkpoint/checkpoint.js';
import { Frontier } from '../merkle/frontier.js';
import { subtreesOf } from '../merkle/stored-tree.js';
import { Findings, offsetsText } from './finding.js';
import { type LeafAt, RowCheck } from './row-check.js';

/** Rows of one partition that somebody claims to be those of the signed tree. */
export interface RangeClaim {
  readonly tree: TreeName;
  /** Offsets [from, to) of the partition. */
  readonly from: number;
  readonly to: number;
  /** Frontier of the tree before `from`. */
  readonly left: Buffer;
  /** Roots of the complete subtrees from `to` to the end of the tree that the checkpoint signs. */
  readonly right: readonly Buffer[];
  /** False where a query chose some of the rows in the range. */
  readonly isWhole: boolean;
  /** Which of its rows were taken out on purpose, see `RowRange`. Their hashes are there all the same. */
  readonly retired?: Uint8Array | undefined;
  readonly checkpoint: Checkpoint | undefined;
}

export interface RangeSource {
  /** The hash of the n-th row from `from` on; there is one for every offset of the range. */
  readonly leafAt: LeafAt;
  /** Texts of the rows in the order in which they are kept. */
  readonly rows: AsyncIterable<string>;
}

export interface RangeResult {
  /** Rows that are, each for itself, what was signed. */
  readonly rows: number;
  /** Checkpoints, besides the claim's own, that this range was held against. */
  readonly checkpoints: number;
}

/** Holds a range against its checkpoint and against every other checkpoint of its tree that speaks about it. */
export async function checkRange(
  claim: RangeClaim,
  source: RangeSource,
  known: readonly Checkpoint[],
  findings: Findings,
): Promise<RangeResult> {
  const heads = headsOf(claim, known);
  const leaves = new HeadCheck(claim, heads);
  for (let i = 0; i < claim.to - claim.from; i++) leaves.append(source.leafAt(i));
  leaves.finish();

  const own = new Findings();
  const rows = new RowCheck({ ...claim, partition: claim.tree.partition }, source.leafAt, own);
  // The rows themselves may be right where the file of their hashes is not.
  const byRows = leaves.wrong.length > 0 && claim.isWhole ? new HeadCheck(claim, heads) : undefined;
  for await (const text of source.rows) {
    const hash = rows.take(text);
    if (hash && byRows && byRows.size < claim.to - claim.tree.firstOffset) byRows.append(hash);
  }
  rows.finish();
  byRows?.finish();

  if (byRows && byRows.wrong.length === 0) {
    findings.add({
      flaw: 'file',
      partition: claim.tree.partition,
      what: 'the rows are right, the file of their hashes is not: take the hashes from the rows',
    });
    return { rows: claim.to - claim.from, checkpoints: heads.length - 1 };
  }
  for (const finding of own.all) findings.add(finding);
  tellWrongHeads(claim, leaves, own, findings);
  return { rows: leaves.wrong.length === 0 ? rows.rows : 0, checkpoints: Math.max(0, heads.length - 1) };
}

/** Checkpoints of this tree whose root the range can tell: their last leaf lies in it, or they are the claim's own. */
function headsOf({ tree, from, to, checkpoint }: RangeClaim, known: readonly Checkpoint[]): Checkpoint[] {
  const inside = known.filter(({ size }) => size >= from - tree.firstOffset && size <= to - tree.firstOffset);
  return [...inside, ...(checkpoint ? [checkpoint] : [])].sort((a, b) => a.size - b.size);
}

/** Grows a tree and compares its root with every checkpoint on the way. */
class HeadCheck {
  readonly wrong: Checkpoint[] = [];
  readonly right: Checkpoint[] = [];
  private readonly frontier: Frontier;
  private next = 0;

  constructor(
    private readonly claim: RangeClaim,
    private readonly heads: readonly Checkpoint[],
  ) {
    this.frontier = Frontier.of(claim.from - claim.tree.firstOffset, claim.left);
    this.compare();
  }

  get size(): number {
    return this.frontier.size;
  }

  append(leaf: Buffer): void {
    this.frontier.append(leaf);
    this.compare();
  }

  /** Appends what comes after the range, up to the checkpoint of the claim. */
  finish(): void {
    const { tree, to, right, checkpoint } = this.claim;
    const end = to - tree.firstOffset;
    if (this.frontier.size === end && checkpoint && checkpoint.size > end) {
      const subtrees = subtreesOf(end, checkpoint.size);
      if (subtrees.length === right.length) {
        for (const [i, { level }] of subtrees.entries()) this.frontier.appendSubtree(level, right[i] as Buffer);
        this.compare();
      }
    }
    // Those it never came to cannot be right: there were too few rows for them.
    for (; this.next < this.heads.length; this.next++) this.wrong.push(this.heads[this.next] as Checkpoint);
  }

  private compare(): void {
    for (let head = this.heads[this.next]; head?.size === this.frontier.size; head = this.heads[++this.next]) {
      (head.root.equals(this.frontier.root()) ? this.right : this.wrong).push(head);
    }
  }
}

/** Where neither a row nor its hash tells which row was changed, the checkpoints around it tell where it is. */
function tellWrongHeads(claim: RangeClaim, leaves: HeadCheck, own: Findings, findings: Findings): void {
  const [wrong] = leaves.wrong;
  if (!wrong) return;
  const { tree, from, to } = claim;
  const lastRight = leaves.right.filter(({ size }) => size <= wrong.size).at(-1);
  const first = Math.max(from, tree.firstOffset + (lastRight?.size ?? 0));
  const last = Math.min(to, tree.firstOffset + wrong.size) - 1;
  const isNamed = own.all.some(
    (one) => one.first !== undefined && one.first <= last && (one.last ?? one.first) >= first,
  );
  const signedAt = new Date(wrong.signedAtMs).toISOString();
  const where = first <= last ? `of ${offsetsText(first, last)}` : 'outside of this range';
  findings.add({
    flaw: 'rewritten',
    partition: tree.partition,
    what: isNamed
      ? `the hashes do not lead to what was signed at ${signedAt}`
      : `something ${where} was changed together with its hash: the rows do not lead to what was signed at ${signedAt} over ${wrong.size} rows`,
    ...(first <= last && { first, last }),
  });
}
