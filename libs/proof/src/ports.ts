import type { Database } from '@tributary/persistence';

export type Query = Database['query'];

/** Offsets [from, to). */
export interface OffsetSpan {
  readonly from: number;
  readonly to: number;
}

/** Offsets of one partition: the first that is retained, the next that will be written, and where its group stands. */
export interface PartitionOffsets {
  readonly partition: number;
  readonly low: number;
  readonly high: number;
  /** Next offset that the group will commit past; undefined when it never committed. */
  readonly committed: number | undefined;
  /** What the group finished above the committed offset; absent: nothing. */
  readonly finished?: readonly OffsetSpan[];
}

/** A record that stands in a topic, as far as a proof wants to know. Values are never looked at. */
export interface StandingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Where it came from first, of a record in a retry topic; else its own place. */
  readonly origin: { readonly topic: string; readonly partition: number; readonly offset: number };
  readonly key: string;
  readonly eventSource?: string | undefined;
  readonly eventId?: string | undefined;
  readonly deliveryId?: string | undefined;
  readonly connectionId?: string | undefined;
  readonly timestampMs: number;
  readonly attempts: number;
  readonly dueMs: number;
  readonly firstFailureMs?: number | undefined;
  /** The dead letter that this copy keeps the key locked for. */
  readonly holdsFor?: string | undefined;
}

export interface TopicRange {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

/** A topic with the group that consumes it, and where its records wait for another attempt. */
export interface Chain {
  readonly topic: string;
  readonly group: string;
  readonly retry: string;
  readonly deadLetter: string;
}

export interface ChainPositions extends Chain {
  readonly action: 'accepted' | 'planned' | 'settled';
  readonly stage: 'normalizer' | 'router' | 'connector';
  readonly offsets: readonly PartitionOffsets[];
}

export interface ProofChains {
  /** By source. */
  readonly raw: ReadonlyMap<string, ChainPositions>;
  /** By domain. */
  readonly events: ReadonlyMap<string, ChainPositions>;
  /** By destination. */
  readonly delivery: ReadonlyMap<string, ChainPositions>;
}

/** What stands around open records. */
export interface Surroundings {
  /** By connection. */
  readonly suspensions: ReadonlyMap<
    string,
    { readonly reason: string; readonly by: string; readonly sinceMs: number; readonly untilMs: number | null }
  >;
  /** Members of each group; a group that could not be asked is missing. */
  readonly members: ReadonlyMap<string, number>;
  /** As services say that were asked; empty without them. */
  readonly gates: ReadonlyArray<{
    readonly group: string;
    readonly connectionId: string;
    readonly kind: string;
    readonly reason: string;
    readonly until: string | null;
  }>;
}

export interface ProofPorts {
  readonly query: Query;
  /** Offsets of a topic and of the group that consumes it, limited to a time range where one is asked for. */
  readonly offsetsOf: (topic: string, group: string) => Promise<readonly PartitionOffsets[]>;
  /** Waits until the ledger has every audit record up to now; false when it did not within the limit. */
  readonly waitForLedger: () => Promise<boolean>;
  /** The copies in retry topics that their groups have not finished, of each record the one that counts. */
  readonly parked: (chains: readonly Chain[]) => Promise<readonly StandingRecord[]>;
  readonly read: (ranges: readonly TopicRange[]) => AsyncIterable<StandingRecord>;
  /** Asked only when something is open. */
  readonly surroundings: (groups: readonly string[]) => Promise<Surroundings>;
  readonly nowMs: () => number;
}

export interface ProofScope {
  readonly sources: readonly string[];
  readonly destinations: readonly string[];
  readonly from: Date | null;
  readonly to: Date | null;
  readonly tenant?: string | undefined;
  /** Only what became of the event with this id. */
  readonly event?: string | undefined;
  /** Open items that are explained; more are counted. Default 50. */
  readonly mostOpen?: number | undefined;
  /** `use`: goes on from what an earlier proof remembered; `replace`: reads everything and remembers that. Absent: neither. */
  readonly memory?: 'use' | 'replace' | undefined;
}

export const committedEnd = ({ low, high, committed }: PartitionOffsets): number =>
  Math.min(Math.max(committed ?? low, low), high);

/** What the group says it is done with. */
export function doneSpans(offsets: PartitionOffsets): OffsetSpan[] {
  const { low, high, finished = [] } = offsets;
  const above = finished.map(({ from, to }) => ({ from: Math.max(from, low), to: Math.min(to, high) }));
  return [{ from: low, to: committedEnd(offsets) }, ...above].filter(({ from, to }) => from < to);
}

/** Tenants have no `:` in their ids, and every key begins with one. */
export const tenantOfKey = (key: string): string => key.split(':', 1)[0] ?? '';
