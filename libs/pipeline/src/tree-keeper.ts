import type { Logger } from '@tributary/kafka';
import {
  type Checkpoint,
  NoteRefused,
  openCheckpoint,
  originOf,
  type RangeRoot,
  type SigningKey,
  signCheckpoint,
  signedAtOf,
  type VerifyingKey,
} from '@tributary/ledger';
import type { TreeState } from '@tributary/persistence';

export interface TreeKeeperPorts {
  readonly trees: {
    find(partition: number): Promise<TreeState | undefined>;
    begin(partition: number, lowOffset: number): Promise<void>;
    extend(partition: number): Promise<TreeState | undefined>;
    rootsOf(tree: TreeState): RangeRoot;
  };
  /** Where the partition of the audit topic begins. */
  readonly lowOffset: (partition: number) => Promise<number>;
  /** Partitions that this process writes rows of. */
  readonly partitions: () => readonly number[];
  /** The note that was published last about a partition, by anybody. */
  readonly lastNote: (partition: number) => string | undefined;
  /** Undefined: trees grow and nothing is signed. @throws when the key cannot be had now. */
  readonly keys: () => { readonly signing: SigningKey; readonly former: readonly VerifyingKey[] } | undefined;
  readonly publish: (checkpoint: Checkpoint) => Promise<void>;
  readonly nowMs: () => number;
  readonly logger: Logger;
}

/** Rows are written side by side, so a gap is nothing until it stays. */
const gapIsRealAfter = 3;

/**
 * Lets the trees grow over the rows that are there, and signs them. What was signed once binds it: a tree that does not
 * begin with the tree of the last checkpoint is not signed, whoever set the ledger back or rewrote it.
 */
export class TreeKeeper {
  private readonly refused = new Set<number>();
  private readonly gaps = new Map<number, number>();
  /** When each tree was last found or made up to date. */
  private readonly keptAtMs = new Map<number, number>();
  private running: Promise<void> | undefined;

  constructor(
    private readonly log: string,
    private readonly ports: TreeKeeperPorts,
  ) {}

  /** Trees that are not signed, for a reason that the log has. */
  get refusedTrees(): number {
    return this.refused.size;
  }

  /** How long ago the tree was up to date that has waited longest. 0: none is owned. */
  get longestUnkeptMs(): number {
    const nowMs = this.ports.nowMs();
    return Math.max(0, ...[...this.keptAtMs.values()].map((atMs) => nowMs - atMs));
  }

  /** One round over all partitions; a second call meanwhile waits for the first. Never throws. */
  keep(): Promise<void> {
    this.running ??= this.round().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async round(): Promise<void> {
    const owned = this.ports.partitions();
    for (const partition of this.keptAtMs.keys()) if (!owned.includes(partition)) this.keptAtMs.delete(partition);
    // Its age is counted from here: what was before this process had it, another one told.
    for (const partition of owned) if (!this.keptAtMs.has(partition)) this.keptAtMs.set(partition, this.ports.nowMs());
    for (const partition of owned) {
      await this.keepTree(partition).catch((error: unknown) => {
        this.ports.logger.warn({ error, partition }, 'ledger.tree-not-kept');
      });
    }
    for (const partition of this.refused) if (!owned.includes(partition)) this.refused.delete(partition);
  }

  private async keepTree(partition: number): Promise<void> {
    const { trees, lowOffset } = this.ports;
    if (!(await trees.find(partition))) await trees.begin(partition, await lowOffset(partition));
    const tree = await trees.extend(partition);
    if (!tree) {
      this.keptAtMs.set(partition, this.ports.nowMs());
      return;
    }
    const problem = this.gapIn(tree) ?? (await this.sign(tree));
    if (problem === undefined) {
      this.refused.delete(partition);
      this.keptAtMs.set(partition, this.ports.nowMs());
      return;
    }
    this.refused.add(partition);
    this.ports.logger.error({ partition, size: tree.size, problem }, 'ledger.tree-refused');
  }

  private gapIn(tree: TreeState): string | undefined {
    const seen = tree.isHeldByGap ? (this.gaps.get(tree.partition) ?? 0) + 1 : 0;
    this.gaps.set(tree.partition, seen);
    if (seen < gapIsRealAfter) return undefined;
    return `offset ${tree.firstOffset + tree.size} has no row, though later ones have: "tributary prove" names what is missing`;
  }

  /** Returns why the tree may not be signed. */
  private async sign(tree: TreeState): Promise<string | undefined> {
    const { keys, lastNote, publish, nowMs } = this.ports;
    const held = keys();
    if (!held || tree.size === 0) return undefined;
    const { signing, former } = held;
    const name = { log: this.log, partition: tree.partition, firstOffset: tree.firstOffset };
    const note = lastNote(tree.partition);
    if (note !== undefined) {
      const last = open(note, [signing.verifying, ...former]);
      if (typeof last === 'string') return last;
      const problem = await this.contradiction(tree, originOf(name), last);
      if (problem !== undefined) return problem;
      if (last.size === tree.size) return undefined;
    }
    const head = { tree: name, size: tree.size, root: tree.root, signedAtMs: nowMs() };
    await publish(signCheckpoint(head, [signing]));
    return undefined;
  }

  private async contradiction(tree: TreeState, origin: string, last: Checkpoint): Promise<string | undefined> {
    const signed = `what was signed at ${signedAtOf(last)}`;
    if (originOf(last.tree) !== origin) return `it is the tree ${origin}; ${signed} is ${originOf(last.tree)}`;
    if (last.size > tree.size)
      return `it has ${tree.size} rows and ${signed} has ${last.size}: the ledger was set back`;
    const root = last.size === tree.size ? tree.root : await this.ports.trees.rootsOf(tree)(0, last.size);
    return root.equals(last.root)
      ? undefined
      : `its first ${last.size} rows are not ${signed}: the ledger was rewritten`;
  }
}

/** The checkpoint, or why nothing is signed after it. */
function open(note: string, keys: readonly VerifyingKey[]): Checkpoint | string {
  try {
    return openCheckpoint(note, keys);
  } catch (error) {
    if (!(error instanceof NoteRefused)) throw error;
    return `the last checkpoint cannot be read, so nothing is signed after it: ${error.message} (former keys belong into AUDIT_PUBLIC_KEYS_FILE)`;
  }
}
