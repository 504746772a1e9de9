import type { RuntimeSnapshot } from '@tributary/kafka';

/** A key that stands still, and why. */
export interface HeldKey {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly lane: string;
  /** `dead`: it is a dead letter that holds its key. */
  readonly state: 'held' | 'gated' | 'blocked' | 'parked' | 'dead';
  readonly reason: string;
  /** Offset of the record that everything else of the key waits for; of a parked one in the main topic. */
  readonly offset: string;
  /** Records of the key that are parked; 0: it waits in memory. */
  readonly parked: number;
  readonly attempts: number;
  /** Null: not known, because nothing of it was attempted. */
  readonly since: string | null;
  /** When it is attempted next, as far as that is a matter of time. */
  readonly until: string | null;
}

interface Counted<T> {
  readonly total: number;
  /** The first of them. */
  readonly list: readonly T[];
}

export interface LiveState {
  readonly groups: ReadonlyArray<{
    readonly group: string;
    readonly state: string;
    readonly topics: readonly string[];
    readonly running: number;
    readonly partitions: number;
    readonly windowRecords: number;
    readonly windowBytes: number;
    readonly parkedRecords: number;
    readonly parkedKeys: number;
  }>;
  /** Those that have stood still longest come first. */
  readonly keys: Counted<HeldKey> & { readonly nextOffset?: number };
  readonly gates: Counted<{
    readonly group: string;
    readonly scope: string;
    /** closed, suspended, breaker, budget, or busy: then nothing is wrong. */
    readonly kind: string;
    readonly reason: string;
    readonly until: string | null;
    readonly waitingKeys: number;
  }>;
  readonly pauses: Counted<{
    readonly group: string;
    readonly topic: string;
    readonly partition: number;
    readonly reason: string;
    readonly since: string;
  }>;
}

export interface Page {
  readonly limit: number;
  readonly offset: number;
}

const limits = { limit: { least: 1, most: 1_000, absent: 100 }, offset: { least: 0, most: 10_000_000, absent: 0 } };

const heldBy = (deadLetter: string) => `dead letter ${deadLetter} holds the key: redrive or discard it`;

/** A text says what is wrong with the query. */
export function pageOf(query: string): Page | string {
  const asked = new URLSearchParams(query);
  const page = { limit: limits.limit.absent, offset: limits.offset.absent };
  for (const name of ['limit', 'offset'] as const) {
    const text = asked.get(name);
    if (text === null) continue;
    const { least, most } = limits[name];
    const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
    if (value < least || value > most) return `${name} must be a whole number from ${least} to ${most}`;
    page[name] = value;
  }
  return page;
}

/** What an operator looks at when something does not move. */
export function liveState(runtimes: readonly RuntimeSnapshot[], { limit, offset }: Page, nowMs: number): LiveState {
  const keys = runtimes.flatMap((runtime) => [...inMemory(runtime), ...inRetry(runtime, nowMs)]);
  keys.sort((a, b) => ((a.since ?? '~') < (b.since ?? '~') ? -1 : 1));
  const list = keys.slice(offset, offset + limit);
  const nextOffset = offset + list.length;
  return {
    groups: runtimes.map(groupOf),
    keys: { total: keys.length, list, ...(nextOffset < keys.length && { nextOffset }) },
    gates: countedOf(runtimes.flatMap(gatesOf), limit),
    pauses: countedOf(runtimes.flatMap(pausesOf), limit),
  };
}

const groupOf = (runtime: RuntimeSnapshot): LiveState['groups'][number] => ({
  group: runtime.group,
  state: runtime.state,
  topics: runtime.topics,
  running: runtime.running,
  partitions: runtime.partitions.length,
  windowRecords: sumOf(runtime.partitions.map(({ windowRecords }) => windowRecords)),
  windowBytes: sumOf(runtime.partitions.map(({ windowBytes }) => windowBytes)),
  parkedRecords: sumOf(runtime.parked.map(({ records }) => records)),
  parkedKeys: sumOf(runtime.parked.map(({ heads }) => heads.length)),
});

function inMemory({ group, heldLanes }: RuntimeSnapshot): HeldKey[] {
  return heldLanes.map(({ topic, partition, lane, state, reason, offset, attempts, sinceMs, untilMs }) => ({
    group,
    topic,
    partition,
    lane,
    state,
    reason,
    offset,
    parked: 0,
    attempts,
    since: timeOf(sinceMs),
    until: timeOf(untilMs),
  }));
}

function inRetry({ group, parked }: RuntimeSnapshot, nowMs: number): HeldKey[] {
  return parked.flatMap(({ topic, partition, heads }) =>
    heads.map(({ lane, records, offset, attempts, dueMs, firstFailureMs, deadLetter }) => ({
      group,
      topic,
      partition,
      lane,
      state: deadLetter !== undefined ? ('dead' as const) : ('parked' as const),
      reason:
        deadLetter !== undefined ? heldBy(deadLetter) : dueMs > nowMs ? 'waits for its next attempt' : 'its turn comes',
      offset: String(offset),
      parked: records,
      attempts,
      since: timeOf(firstFailureMs),
      until: timeOf(dueMs > 0 && deadLetter === undefined ? dueMs : undefined),
    })),
  );
}

const gatesOf = ({ group, gates }: RuntimeSnapshot): LiveState['gates']['list'][number][] =>
  gates.map(({ scope, kind, reason, closedUntilMs, waitingLanes }) => ({
    group,
    scope,
    kind,
    reason,
    until: timeOf(closedUntilMs),
    waitingKeys: waitingLanes,
  }));

const pausesOf = ({ group, pauses }: RuntimeSnapshot): LiveState['pauses']['list'][number][] =>
  pauses.map(({ topic, partition, reason, sinceMs }) => ({
    group,
    topic,
    partition,
    reason,
    since: timeOf(sinceMs) ?? '',
  }));

const countedOf = <T>(all: readonly T[], limit: number): Counted<T> => ({
  total: all.length,
  list: all.slice(0, limit),
});

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

const timeOf = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString());
