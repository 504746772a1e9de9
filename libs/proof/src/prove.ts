import { deadLetterTopicOf, domains, retryTopicOf, topicFamilies } from '@tributary/contracts';
import type { Block } from './block.js';
import { proveDestinations } from './destinations.js';
import { proveLedger } from './ledger.js';
import { placesOf } from './ledger-queries.js';
import { openItems } from './open-items.js';
import type { Chain, ChainPositions, ProofChains, ProofPorts, ProofScope } from './ports.js';
import { BlockSums } from './remembered.js';
import { type DomainSums, Findings, type ProofReport, type SourceSums } from './report.js';
import { proveDomain, proveSource } from './stages.js';
import { Standing } from './standing.js';
import type { Work } from './work.js';

/** Checks that every offset of every audited partition is accounted for and that every sum closes. */
export async function prove(ports: ProofPorts, scope: ProofScope): Promise<ProofReport> {
  const findings = new Findings();
  const beganAtMs = ports.nowMs();
  // Positions first, then what waits elsewhere, then the ledger up to now: what was committed by then is in one of them.
  const positions = await positionsOf(ports, scope);
  const all = [...positions.raw.values(), ...positions.events.values(), ...positions.delivery.values()];
  const parked = await ports.parked(all);
  if (!(await ports.waitForLedger()))
    findings.add('ledger', 'the audit-logger did not catch up with the audit topic in time; is it running?');
  const blocks = await blocksFor(ports, scope);
  // Before the sums: what ends in between then is counted by both as finished or as waiting, never as lost.
  const standing = await Standing.read(ports, all, parked);
  const chains = scope.event === undefined ? positions : await narrowedTo(scope.event, ports, positions, standing);
  const work: Work = { ports, scope, findings, blocks, standing, beganAtMs };

  const sources: SourceSums[] = [];
  for (const [source, chain] of chains.raw) sources.push(await proveSource(work, source, chain, chains.events));
  const byDomain: DomainSums[] = [];
  const eventBlocks: Block[] = [];
  for (const [domain, chain] of chains.events) {
    const proof = await proveDomain(work, domain, chain, chains.events);
    byDomain.push(proof.sums);
    eventBlocks.push(...proof.coverage.blocks);
  }
  if (scope.event !== undefined && [...chains.raw.values(), ...chains.events.values()].every(isEmpty))
    findings.add('ledger', `nothing is known about event ${scope.event}`);
  const destinations = await proveDestinations(work, chains, eventBlocks);
  const ledger = scope.event === undefined ? await proveLedger(work) : { records: 0, rows: 0, waiting: 0 };
  const open = await openItems(work, chains, destinations.open);
  const closes = findings.list.length === 0;
  if (closes && isWhole(scope)) await blocks.remember();
  return {
    from: scope.from?.toISOString() ?? null,
    to: scope.to?.toISOString() ?? null,
    tenant: scope.tenant ?? null,
    event: scope.event ?? null,
    sources: sources.filter((sums) => sums.accepted > 0),
    domains: byDomain.filter((sums) => sums.events > 0),
    destinations: destinations.sums,
    ledger,
    findings: findings.list,
    moreFindings: findings.more,
    ...open,
    closes,
  };
}

/** Only sums over everything are remembered: those of a tenant or a time are cheap, and would be of use to nobody else. */
const isWhole = ({ from, to, tenant, event }: ProofScope): boolean =>
  !from && !to && tenant === undefined && event === undefined;

async function blocksFor({ query }: ProofPorts, scope: ProofScope): Promise<BlockSums> {
  if (!isWhole(scope) || scope.memory === undefined) return BlockSums.fresh(query);
  return BlockSums.open(query, scope.memory === 'replace');
}

async function positionsOf(ports: ProofPorts, scope: ProofScope): Promise<ProofChains> {
  const withOffsets = async (chain: Omit<ChainPositions, 'offsets'>): Promise<ChainPositions> => ({
    ...chain,
    offsets: await ports.offsetsOf(chain.topic, chain.group),
  });
  const raw = scope.sources.map(async (slug) => {
    const chain = chainOf(topicFamilies.raw(slug), 'normalizer');
    return [slug, await withOffsets({ ...chain, action: 'accepted', stage: 'normalizer' })] as const;
  });
  const rawChains = new Map(await Promise.all(raw));
  const events = domains.map(async (domain) => {
    const chain = chainOf(topicFamilies.events(domain), 'router', 'router');
    return [domain, await withOffsets({ ...chain, action: 'planned', stage: 'router' })] as const;
  });
  const eventChains = new Map<string, ChainPositions>(await Promise.all(events));
  const delivery = new Map<string, ChainPositions>();
  for (const slug of scope.destinations) {
    const chain = chainOf(topicFamilies.delivery(slug), `connector-${slug}`);
    delivery.set(slug, await withOffsets({ ...chain, action: 'settled', stage: 'connector' }));
  }
  return { raw: rawChains, events: eventChains, delivery };
}

function chainOf(topic: Parameters<typeof retryTopicOf>[0], group: string, infix?: string): Chain {
  return {
    topic: topic.name,
    group,
    retry: retryTopicOf(topic, infix).name,
    deadLetter: deadLetterTopicOf(topic, infix).name,
  };
}

const isEmpty = ({ offsets }: ChainPositions): boolean => offsets.length === 0;

/** Only the offsets at which the ledger, or what waits, has something about the event. */
async function narrowedTo(
  event: string,
  { query }: Pick<ProofPorts, 'query'>,
  positions: ProofChains,
  standing: Standing,
): Promise<ProofChains> {
  const waiting = [...standing.all()].filter(({ eventId }) => eventId === event).map(({ origin }) => origin);
  const places = [...(await placesOf(query, event)), ...waiting];
  const narrow = (chain: ChainPositions): ChainPositions => ({
    ...chain,
    offsets: chain.offsets.flatMap((one) => {
      const own = places.filter(({ topic, partition }) => topic === chain.topic && partition === one.partition);
      const offsets = [...new Set(own.map(({ offset }) => offset))].filter((o) => o >= one.low && o < one.high);
      return offsets.map((offset) => ({ ...one, low: offset, high: offset + 1 }));
    }),
  });
  const narrowAll = (chains: ReadonlyMap<string, ChainPositions>) =>
    new Map([...chains].map(([name, chain]) => [name, narrow(chain)]));
  const { raw, events, delivery } = positions;
  return { raw: narrowAll(raw), events: narrowAll(events), delivery: narrowAll(delivery) };
}
