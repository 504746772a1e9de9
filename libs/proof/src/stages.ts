import { type Block, blockSize, joined, portions } from './block.js';
import { boundsOf, type Coverage, committedTo, coverage } from './coverage.js';
import { deliveryBlocks, eventsNeverRouted, type NamedEvent, type TopicBounds } from './ledger-queries.js';
import type { ChainPositions } from './ports.js';
import type { DomainSums, SourceSums } from './report.js';
import { mostNamed, type Work } from './work.js';

type EventChains = ReadonlyMap<string, ChainPositions>;

export async function proveSource(
  work: Work,
  source: string,
  chain: ChainPositions,
  events: EventChains,
): Promise<SourceSums> {
  const { total, outcomes, waiting, blocks } = await coverage(work, chain);
  const count = (outcome: string) => outcomes.get(outcome) ?? 0;
  const sums = {
    source,
    accepted: total,
    normalized: count('normalized'),
    duplicate: count('duplicate'),
    filtered: count('filtered'),
    dead: count('dead'),
    waiting,
  };
  const accounted = sums.normalized + sums.duplicate + sums.filtered + sums.dead + sums.waiting;
  if (accounted !== total) {
    work.findings.add(
      chain.topic,
      `accepted ${total} is not normalized + duplicate + filtered + dead + waiting = ${accounted}`,
    );
  }
  await proveHandOver(work, chain, blocks, events);
  return sums;
}

/** What the normalizer says it made has reached the router, or waits before it. */
async function proveHandOver(
  work: Work,
  chain: ChainPositions,
  blocks: readonly Block[],
  events: EventChains,
): Promise<void> {
  const { ports, scope, standing } = work;
  const doubtful = blocks.filter((block) => work.blocks.isNew(block));
  const committed = committedTo(chain.offsets);
  // What was not committed when the positions were read may have become an event after them.
  const surely = doubtful
    .map((block) => ({ ...block, to: Math.min(block.to, committed.get(block.partition) ?? 0) }))
    .filter(({ from, to }) => from < to);
  const waiting = [...events.values()].flatMap(({ topic }) => standing.of(topic));
  const known = new Set(waiting.map(({ eventSource, eventId }) => `${eventSource} ${eventId}`));
  const atMost = waiting.length + mostNamed;
  const unrouted: NamedEvent[] = [];
  for (const some of portions(surely)) {
    if (unrouted.length >= atMost) break;
    unrouted.push(...(await eventsNeverRouted(ports.query, chain.topic, joined(some), atMost - unrouted.length)));
  }
  const open = new Set(unrouted.map(({ partition, offset }) => `${partition} ${Math.floor(offset / blockSize)}`));
  for (const block of doubtful) {
    const isChecked = block.to <= (committed.get(block.partition) ?? 0) && unrouted.length < atMost;
    if (!isChecked || open.has(`${block.partition} ${block.block}`)) work.blocks.refuse(block);
  }
  // Of a backlog that is too long to read, nobody can say who is in it.
  if (![...events.values()].every(({ topic }) => standing.isComplete(topic))) return;
  const isLost = ({ eventSource, eventId, tenant }: NamedEvent) =>
    !known.has(`${eventSource} ${eventId}`) && (scope.tenant === undefined || scope.tenant === tenant);
  for (const { eventSource, eventId, partition, offset } of unrouted.filter(isLost).slice(0, mostNamed)) {
    const origin = `${chain.topic} ${partition}:${offset}`;
    work.findings.add(
      chain.topic,
      `event ${eventId} of ${eventSource} (${origin}) was normalized and never reached the router`,
    );
  }
}

/** The coverage comes too: its blocks say how the deliveries stand that were planned in them. */
export async function proveDomain(
  work: Work,
  domain: string,
  chain: ChainPositions,
  events: EventChains,
): Promise<{ readonly sums: DomainSums; readonly coverage: Coverage }> {
  const all: TopicBounds[] = [...events.values()].flatMap(({ topic, offsets }) =>
    boundsOf(offsets).map((bound) => ({ topic, ...bound })),
  );
  const covered = await coverage(work, chain, (spans) =>
    deliveryBlocks(work.ports.query, spans, all, work.scope.tenant),
  );
  for (const block of covered.blocks) {
    if (Object.keys(block.sums).some((what) => / (waiting|redriven)$/.test(what))) work.blocks.refuse(block);
  }
  const { total, outcomes, waiting } = covered;
  const dead = outcomes.get('dead') ?? 0;
  const routed = (outcomes.get('planned') ?? 0) + (outcomes.get('unsubscribed') ?? 0);
  if (routed + dead + waiting !== total)
    work.findings.add(chain.topic, `events ${total} is not routed + dead + waiting = ${routed + dead + waiting}`);
  return { sums: { domain, events: total, routed, dead, waiting }, coverage: covered };
}
