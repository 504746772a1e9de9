import { type Clock, systemClock } from './clock.js';
import { RequestSpacing, type SpacingRule } from './request-spacing.js';

interface Batch {
  readonly rawMessages: readonly unknown[];
}

export interface FetchingGroup {
  readonly cluster: object;
  fetch(nodeId: number): Promise<Batch[]>;
}

/** Between the starts of two fetches, by what the first one brought. Milliseconds. */
export interface FetchSpacing {
  /** After a few records or none: how long a lone record waits at most, after another one. */
  readonly quietMs: number;
  /** After a dozen or more: a stage that nobody waits for takes more at once when this is longer, and costs less. */
  readonly busyMs: number;
}

export const defaultFetchSpacing: FetchSpacing = { quietMs: 20, busyMs: 20 };

/** For a stage under load: measured with `npm run bench:e2e`, it takes twice as many records at once. */
export const relaxedFetchSpacing: FetchSpacing = { quietMs: 20, busyMs: 40 };

export const fetchSpacingRule =
  ({ quietMs, busyMs }: FetchSpacing): SpacingRule =>
  (records) => {
    // There is a backlog: the next fetch brings as much again.
    if (records >= 200) return 0;
    return records >= 12 ? busyMs : quietMs;
  };

const chosen = new WeakMap<object, FetchSpacing>();

/** For the consumer with this cluster object of kafkajs, of which each consumer has its own. */
export function spaceFetches(cluster: object, spacing: FetchSpacing): void {
  chosen.set(cluster, spacing);
}

/**
 * kafkajs' fetch, spaced by broker and without the partitions that brought nothing: it would go through its whole batch
 * machinery for each of them (48 for the router).
 */
export function spaced<G extends FetchingGroup>(fetch: G['fetch'], clock: Clock = systemClock) {
  const spacings = new WeakMap<G, Map<number, RequestSpacing>>();
  const spacingOf = (group: G, nodeId: number): RequestSpacing => {
    const nodes = spacings.get(group) ?? new Map<number, RequestSpacing>();
    spacings.set(group, nodes);
    const known = nodes.get(nodeId);
    if (known) return known;
    const spacing = new RequestSpacing(clock, fetchSpacingRule(chosen.get(group.cluster) ?? defaultFetchSpacing));
    nodes.set(nodeId, spacing);
    return spacing;
  };
  return async (group: G, nodeId: number): Promise<Batch[]> => {
    const spacing = spacingOf(group, nodeId);
    await spacing.turn();
    const batches = (await fetch.call(group, nodeId)).filter(({ rawMessages }) => rawMessages.length > 0);
    spacing.carried(batches.reduce((records, { rawMessages }) => records + rawMessages.length, 0));
    return batches;
  };
}
