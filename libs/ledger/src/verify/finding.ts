/** What is wrong: a closed list, so that a script can tell one from another. */
export type Flaw =
  /** The row at its place does not say what was signed. */
  | 'altered'
  /** A signed row is not there. */
  | 'missing'
  /** A row is there that was never signed, or a second time. */
  | 'inserted'
  /** A signed row is not in its place. */
  | 'moved'
  /** Rows at the end are not there. */
  | 'truncated'
  /** Some rows and the hashes that would name them were changed together. */
  | 'rewritten'
  /** A file is not what the manifest says, or cannot be read. */
  | 'file'
  /** A checkpoint is not signed by a given key, or says something about another tree. */
  | 'checkpoint'
  /** Two checkpoints that are both signed contradict each other. */
  | 'forked'
  /** Nothing signed speaks for these rows. */
  | 'unsigned';

export interface Finding {
  readonly flaw: Flaw;
  readonly what: string;
  readonly partition?: number;
  /** Offsets in the partition of the audit topic, first and last, where the flaw has a place. */
  readonly first?: number;
  readonly last?: number;
}

/** Collects findings; of a ledger that is wrong everywhere, the first ones and their number say enough. */
export class Findings {
  private readonly kept: Finding[] = [];
  private count = 0;

  constructor(private readonly most = 1_000) {}

  add(finding: Finding): void {
    this.count += 1;
    if (this.kept.length < this.most) this.kept.push(finding);
  }

  addAll(others: Findings): void {
    for (const finding of others.all) this.add(finding);
    this.count += others.more;
  }

  get all(): readonly Finding[] {
    return this.kept;
  }

  /** How many were found and not kept. */
  get more(): number {
    return this.count - this.kept.length;
  }

  get total(): number {
    return this.count;
  }
}

export const offsetsText = (first: number, last: number): string =>
  first === last ? `offset ${first}` : `offsets ${first} to ${last}`;
