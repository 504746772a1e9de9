import { type Block, blockSize, joined, portions } from './block.js';
import { committedTo, coverage } from './coverage.js';
import { type OpenDelivery, openDeliveries, settledButNeverPlanned, type UnplannedDelivery } from './ledger-queries.js';
import type { ChainPositions, ProofChains } from './ports.js';
import type { DestinationSums } from './report.js';
import { mostStanding } from './standing.js';
import { mostNamed, type Work } from './work.js';

export interface DestinationProof {
  readonly sums: readonly DestinationSums[];
  /** Deliveries that have not ended, by destination. */
  readonly open: ReadonlyMap<string, readonly OpenDelivery[]>;
}

export async function proveDestinations(
  work: Work,
  chains: ProofChains,
  eventBlocks: readonly Block[],
): Promise<DestinationProof> {
  const sums: DestinationSums[] = [];
  const open = new Map<string, readonly OpenDelivery[]>();
  for (const [destination, chain] of chains.delivery) {
    const { total, blocks, waiting } = await coverage(work, chain);
    const unfinished = await proveDeliveries(work, destination, { chain, chains, waiting, eventBlocks });
    if (unfinished.length > 0) open.set(destination, unfinished);
    await provePlans(work, destination, chain, blocks);
    const own = destinationSums(destination, eventBlocks);
    if (own.planned > 0 || total > 0) sums.push(own);
  }
  return { sums, open };
}

function destinationSums(destination: string, blocks: readonly Block[]): DestinationSums {
  const count = (...states: string[]) =>
    blocks.reduce((sum, block) => {
      const counts = states.map((state) => block.sums[`${destination} ${state}`] ?? 0);
      return sum + counts.reduce((a, b) => a + b, 0);
    }, 0);
  const [delivered, dead, discarded] = [count('delivered'), count('dead'), count('discarded')];
  const waiting = count('waiting', 'redriven');
  return { destination, planned: delivered + dead + discarded + waiting, delivered, dead, discarded, waiting };
}

interface Deliveries {
  readonly chain: ChainPositions;
  readonly chains: ProofChains;
  readonly eventBlocks: readonly Block[];
  /** Records of the delivery topic that wait. */
  readonly waiting: number;
}

/** Each delivery that was planned has ended, or its record stands somewhere. */
async function proveDeliveries(
  work: Work,
  destination: string,
  { chain, chains, waiting, eventBlocks }: Deliveries,
): Promise<OpenDelivery[]> {
  const { scope, standing, findings } = work;
  const open = await openIn(work, destination, chains, eventBlocks);
  if (!standing.isComplete(chain.topic)) {
    // Which ones wait is not known, only how many.
    if (scope.tenant !== undefined || open.length <= waiting) return open;
    for (const { deliveryId } of open.slice(0, mostNamed))
      findings.add(destination, lostDelivery(deliveryId, chain.topic));
    return open;
  }
  const places = new Set(standing.of(chain.topic).map(({ deliveryId }) => deliveryId));
  const isLost = ({ deliveryId, state, since }: OpenDelivery) =>
    !places.has(deliveryId) && (state === 'waiting' || since.getTime() < work.beganAtMs - redriveSlackMs);
  for (const { deliveryId } of open.filter(isLost).slice(0, mostNamed))
    findings.add(destination, lostDelivery(deliveryId, chain.topic));
  return open.filter((one) => !isLost(one));
}

/** Only blocks are read that say of themselves that something waits in them. */
async function openIn(
  { ports, scope }: Work,
  destination: string,
  chains: ProofChains,
  eventBlocks: readonly Block[],
): Promise<OpenDelivery[]> {
  // Of events that were committed later, deliveries may have been written after the positions were read.
  const surely = new Map(
    [...chains.events.values()].map(({ topic, offsets }) => [topic, committedTo(offsets)] as const),
  );
  const waiting = eventBlocks
    .filter(({ sums }) => sums[`${destination} waiting`] || sums[`${destination} redriven`])
    .map((block) => ({ ...block, to: Math.min(block.to, surely.get(block.topic)?.get(block.partition) ?? 0) }))
    .filter(({ from, to }) => from < to);
  const open = new Map<string, OpenDelivery>();
  for (const some of portions(waiting)) {
    const atMost = mostStanding + mostNamed - open.size;
    if (atMost <= 0) break;
    const found = await openDeliveries(ports.query, joined(some), { destination, tenant: scope.tenant, atMost });
    // One that was planned in two blocks is found in both.
    for (const one of found) open.set(one.deliveryId, one);
  }
  return [...open.values()].sort(
    (a, b) => a.since.getTime() - b.since.getTime() || compare(a.deliveryId, b.deliveryId),
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** Who redrives says so after the copy is written, by a clock that is not ours. */
const redriveSlackMs = 60_000;

const lostDelivery = (id: string, topic: string): string =>
  `delivery ${id} was planned, is not settled and does not wait in ${topic}`;

async function provePlans(
  work: Work,
  destination: string,
  { topic }: ChainPositions,
  blocks: readonly Block[],
): Promise<void> {
  const doubtful = blocks.filter((block) => work.blocks.isNew(block));
  const unplanned: UnplannedDelivery[] = [];
  for (const some of portions(doubtful)) {
    const atMost = mostNamed - unplanned.length;
    if (atMost === 0) break;
    const { tenant } = work.scope;
    unplanned.push(...(await settledButNeverPlanned(work.ports.query, topic, joined(some), { tenant, atMost })));
  }
  for (const { deliveryId, partition, offset } of unplanned) {
    work.findings.add(destination, `delivery ${deliveryId} was settled and no router planned it`);
    work.blocks.refuse({ topic, partition, block: Math.floor(offset / blockSize) });
  }
}
