import { type Checkpoint, signedAtOf, type TreeName } from '../checkpoint/checkpoint.js';
import { Frontier } from '../merkle/frontier.js';
import { subtreesOf } from '../merkle/stored-tree.js';
import type { LedgerRow } from '../row.js';
import { Findings, offsetsText } from './finding.js';
import { isSet, type RangePiece, RowCheck } from './row-check.js';

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
  readonly checkpoint: Checkpoint | undefined;
}

/** Some rows of the range, behind those that were checked before. */
export interface CheckedPiece extends RangePiece {
  /** In the order in which they are kept: as texts, or as they came from the database. */
  readonly rows: AsyncIterable<string | LedgerRow> | Iterable<LedgerRow>;
}

export interface RangeResult {
  /** Rows that are, each for itself, what was signed. */
  readonly rows: number;
  /** Checkpoints, besides the claim's own, that this range was held against. */
  readonly checkpoints: number;
}

/**
 * Holds a range against its checkpoint and against every other checkpoint of its tree that speaks about it. The range comes in pieces, one
 * behind the other: what is kept between them does not grow with their number.
 */
export class RangeCheck {
  private readonly own = new Findings();
  private readonly heads: readonly Checkpoint[];
  /** The tree that the hashes make. */
  private readonly leaves: HeadCheck;
  /** The tree that the rows make, from the first one on that is not what its hash stands for. */
  private byRows: HeadCheck | undefined;
  private readonly rows: RowCheck;

  constructor(
    private readonly claim: RangeClaim,
    known: readonly Checkpoint[],
    private readonly findings: Findings,
  ) {
    this.heads = headsOf(claim, known);
    this.leaves = new HeadCheck(claim, this.heads);
    this.rows = new RowCheck({ ...claim, partition: claim.tree.partition }, this.own);
  }

  async take(piece: CheckedPiece): Promise<void> {
    const { from, to, leafAt } = piece;
    const before = this.leaves.clone();
    for (let i = 0; i < to - from; i++) this.leaves.append(leafAt(i));
    this.rows.begin(piece);
    const steps = new Steps(piece);
    for await (const row of piece.rows) {
      const hash = typeof row === 'string' ? this.rows.take(row) : this.rows.takeRow(row);
      if (!hash || !this.claim.isWhole) continue;
      if (!this.byRows && !steps.next(hash)) this.byRows = steps.replay(before);
      this.byRows?.append(hash);
    }
    if (this.claim.isWhole && !this.byRows && !steps.areAll()) this.byRows = steps.replay(before);
    this.rows.end();
  }

  finish(): RangeResult {
    const { claim, heads, leaves, own, findings } = this;
    this.rows.finish();
    leaves.finish();
    this.byRows?.finish();
    // The rows themselves may be right where the hashes that are kept of them are not.
    if (leaves.wrong && this.byRows && !this.byRows.wrong) {
      findings.add({
        flaw: 'file',
        partition: claim.tree.partition,
        what: 'the rows are right, the file of their hashes is not: take the hashes from the rows',
      });
      return { rows: claim.to - claim.from, checkpoints: heads.length - 1 };
    }
    findings.addAll(own);
    tellWrongHeads(claim, leaves, own, findings);
    return { rows: leaves.wrong ? 0 : this.rows.rows, checkpoints: Math.max(0, heads.length - 1) };
  }
}

/** How far the rows of a piece are, one after the other, what its hashes stand for: so far both make the same tree. */
class Steps {
  private done = 0;

  constructor(private readonly piece: RangePiece) {
    this.skipRetired();
  }

  next(hash: Buffer): boolean {
    if (this.areAll() || !hash.equals(this.piece.leafAt(this.done))) return false;
    this.done += 1;
    this.skipRetired();
    return true;
  }

  areAll(): boolean {
    return this.done === this.piece.to - this.piece.from;
  }

  replay(before: HeadCheck): HeadCheck {
    for (let i = 0; i < this.done; i++) before.append(this.piece.leafAt(i));
    return before;
  }

  /** They have a hash and no row. */
  private skipRetired(): void {
    while (!this.areAll() && isSet(this.piece.retired, this.done)) this.done += 1;
  }
}

/** Checkpoints of this tree whose root the range can tell: their last leaf lies in it, or they are the claim's own. */
function headsOf({ tree, from, to, checkpoint }: RangeClaim, known: readonly Checkpoint[]): Checkpoint[] {
  const inside = known.filter(({ size }) => size >= from - tree.firstOffset && size <= to - tree.firstOffset);
  return [...inside, ...(checkpoint ? [checkpoint] : [])].sort((a, b) => a.size - b.size);
}

/** Grows a tree and compares its root with every checkpoint on the way. */
class HeadCheck {
  /** The first that the tree does not lead to, and the last before it that it does. */
  wrong: Checkpoint | undefined;
  right: Checkpoint | undefined;
  private readonly frontier: Frontier;
  private next: number;

  constructor(
    private readonly claim: RangeClaim,
    private readonly heads: readonly Checkpoint[],
    from?: HeadCheck,
  ) {
    this.wrong = from?.wrong;
    this.right = from?.right;
    this.next = from?.next ?? 0;
    this.frontier = from?.frontier.clone() ?? Frontier.of(claim.from - claim.tree.firstOffset, claim.left);
    this.compare();
  }

  clone(): HeadCheck {
    return new HeadCheck(this.claim, this.heads, this);
  }

  /** Rows beyond the range, of which there should be none, make no other tree. */
  append(leaf: Buffer): void {
    if (this.frontier.size >= this.claim.to - this.claim.tree.firstOffset) return;
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
    this.wrong ??= this.heads[this.next];
  }

  private compare(): void {
    for (let head = this.heads[this.next]; head?.size === this.frontier.size; head = this.heads[++this.next]) {
      if (!head.root.equals(this.frontier.root())) this.wrong ??= head;
      else if (!this.wrong || this.wrong.size === head.size) this.right = head;
    }
  }
}

/** Where neither a row nor its hash tells which row was changed, the checkpoints around it tell where it is. */
function tellWrongHeads(claim: RangeClaim, leaves: HeadCheck, own: Findings, findings: Findings): void {
  const { wrong, right } = leaves;
  if (!wrong) return;
  const { tree, from, to } = claim;
  const first = Math.max(from, tree.firstOffset + (right?.size ?? 0));
  const last = Math.min(to, tree.firstOffset + wrong.size) - 1;
  const isNamed = own.all.some(
    (one) => one.first !== undefined && one.first <= last && (one.last ?? one.first) >= first,
  );
  const signedAt = signedAtOf(wrong);
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
