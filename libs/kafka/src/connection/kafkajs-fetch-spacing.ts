import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';

interface Batch {
  readonly rawMessages: readonly unknown[];
}

interface ConsumerGroup {
  fetch(nodeId: number): Promise<Batch[]>;
}

/**
 * Fetches that bring little start so far apart at least. Without it a stage at a few hundred records a second asks for each of
 * them alone, and every record costs a fetch, a produce request and an append of its own, here and at the broker.
 */
const spacingMs = 20;
/** There is a backlog: the next fetch brings as much again, so waiting saves nothing. */
const manyRecords = 200;

/**
 * Makes kafkajs space its fetches, and forget the partitions of a response that brought nothing: it would go through its whole
 * batch machinery for each of them (96 for the router).
 */
export function spaceFetches(): void {
  const require = createRequire(import.meta.url);
  const group = require('kafkajs/src/consumer/consumerGroup.js') as { prototype: ConsumerGroup };
  const fetch = group.prototype.fetch;
  const notBefore = new WeakMap<ConsumerGroup, Map<number, number>>();
  group.prototype.fetch = async function (this: ConsumerGroup, nodeId: number) {
    const nodes = notBefore.get(this) ?? new Map<number, number>();
    notBefore.set(this, nodes);
    const waitMs = (nodes.get(nodeId) ?? 0) - performance.now();
    if (waitMs > 1) await delay(waitMs);
    const startedAt = performance.now();
    const batches = (await fetch.call(this, nodeId)).filter(({ rawMessages }) => rawMessages.length > 0);
    const records = batches.reduce((sum, { rawMessages }) => sum + rawMessages.length, 0);
    nodes.set(nodeId, records >= manyRecords ? 0 : startedAt + spacingMs);
    return batches;
  };
}
