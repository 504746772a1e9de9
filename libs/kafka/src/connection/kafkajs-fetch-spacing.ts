import { createRequire } from 'node:module';
import { type Clock, systemClock } from './clock.js';
import { RequestSpacing, type SpacingRule } from './request-spacing.js';

interface Batch {
  readonly rawMessages: readonly unknown[];
}

export interface FetchingGroup {
  fetch(nodeId: number): Promise<Batch[]>;
}

/** Measured with `npm run bench:e2e`: at 20 ms a lone record hardly waits, at 40 ms a busy stage takes twice as many at once. */
export const fetchSpacing: SpacingRule = (records) => {
  // There is a backlog: the next fetch brings as much again.
  if (records >= 200) return 0;
  return records >= 12 ? 40 : 20;
};

/**
 * Makes kafkajs space its fetches, by broker, and leave out the partitions that brought nothing: it would go through its whole
 * batch machinery for each of them (48 for the router).
 */
export function spaceFetchesOf(prototype: FetchingGroup, clock: Clock = systemClock): void {
  const { fetch } = prototype;
  const spacings = new WeakMap<FetchingGroup, Map<number, RequestSpacing>>();
  const spacingOf = (group: FetchingGroup, nodeId: number): RequestSpacing => {
    const nodes = spacings.get(group) ?? new Map<number, RequestSpacing>();
    const spacing = nodes.get(nodeId) ?? new RequestSpacing(clock, fetchSpacing);
    spacings.set(group, nodes.set(nodeId, spacing));
    return spacing;
  };
  prototype.fetch = async function (this: FetchingGroup, nodeId) {
    const spacing = spacingOf(this, nodeId);
    await spacing.turn();
    const batches = (await fetch.call(this, nodeId)).filter(({ rawMessages }) => rawMessages.length > 0);
    spacing.carried(batches.reduce((records, { rawMessages }) => records + rawMessages.length, 0));
    return batches;
  };
}

export function spaceFetches(): void {
  const require = createRequire(import.meta.url);
  const group = require('kafkajs/src/consumer/consumerGroup.js') as { prototype: FetchingGroup };
  spaceFetchesOf(group.prototype);
}
