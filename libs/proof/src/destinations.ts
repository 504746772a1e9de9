import { type Block, blockSize, joined } from './block.js';
import { committedBounds, coverage } from './coverage.js';
import { type OpenDelivery, openDeliveries, settledButNeverPlanned, type TopicBounds } from './ledger-queries.js';
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
    const unfinished = await proveDeliveries(work, destination, { chain, chains, waiting });
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
  /** Records of the delivery topic that wait. */
  readonly waiting: number;
}

/** Each delivery that was planned has ended, or its record stands somewhere. */
async function proveDeliveries(
  work: Work,
  destination: string,
  { chain, chains, waiting }: Deliveries,
): Promise<OpenDelivery[]> {
  const { ports, scope, standing, findings } = work;
  // Of events that were committed later, deliveries may have been written after the positions were read.
  const surely: TopicBounds[] = [...chains.events.values()].flatMap(({ topic, offsets }) =>
    committedBounds(offsets).map((bound) => ({ topic, ...bound })),
  );
  const open = await openDeliveries(ports.query, surely, {
    destination,
    tenant: scope.tenant,
    atMost: mostStanding + mostNamed,
  });
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
  if (doubtful.length === 0) return;
  const unplanned = await settledButNeverPlanned(work.ports.query, topic, joined(doubtful), {
    tenant: work.scope.tenant,
    atMost: mostNamed,
  });
  for (const { deliveryId, partition, offset } of unplanned) {
    work.findings.add(destination, `delivery ${deliveryId} was settled and no router planned it`);
    work.blocks.refuse({ topic, partition, block: Math.floor(offset / blockSize) });
  }
}
