import { domains, topicFamilies, topics } from '@tributary/contracts';
import {
  auditOffsetsWithoutRow,
  auditRowCount,
  countOffsetsWithout,
  deliveriesByState,
  eventsNeverRouted,
  ledgerPositions,
  type OffsetRange,
  offsetsWithout,
  outcomesOf,
  type Query,
  settledButNeverPlanned,
  type TopicBounds,
  unsettledDeliveries,
} from './ledger-queries.js';
import type { DestinationSums, DomainSums, Finding, LedgerSums, ProofReport, SourceSums } from './report.js';

/** Offsets of one partition: the first that is retained, the next that will be written, and where its group stands. */
export interface PartitionOffsets {
  readonly partition: number;
  readonly low: number;
  readonly high: number;
  /** Next offset that the group will commit past; undefined when it never committed. */
  readonly committed: number | undefined;
}

export interface ProofPorts {
  readonly query: Query;
  /** Offsets of a topic and of the group that consumes it, limited to a time range where one is asked for. */
  readonly offsetsOf: (topic: string, group: string) => Promise<readonly PartitionOffsets[]>;
  /** Waits until the ledger has every audit record up to now; false when it did not within the limit. */
  readonly waitForLedger: () => Promise<boolean>;
}

export interface ProofScope {
  readonly sources: readonly string[];
  readonly destinations: readonly string[];
  readonly from: Date | null;
  readonly to: Date | null;
}

const mostNamed = 20;

/** Collects findings; beyond a number they are counted only, so that a disaster still fits a screen. */
class Findings {
  readonly list: Finding[] = [];
  more = 0;

  add(where: string, what: string): void {
    if (this.list.length < 200) this.list.push({ where, what });
    else this.more += 1;
  }
}

/** Checks that every offset of every audited partition is accounted for and that every sum closes. */
export async function prove(ports: ProofPorts, scope: ProofScope): Promise<ProofReport> {
  const findings = new Findings();
  // Positions first, then the ledger up to now: what was committed by then has its audit records in the ledger.
  const raw = await offsetsByTopic(
    ports,
    scope.sources.map((slug) => topicFamilies.raw(slug).name),
    'normalizer',
  );
  const events = await offsetsByTopic(
    ports,
    domains.map((domain) => topicFamilies.events(domain).name),
    'router',
  );
  const delivery = new Map<string, readonly PartitionOffsets[]>();
  for (const slug of scope.destinations) {
    const { name } = topicFamilies.delivery(slug);
    delivery.set(name, await ports.offsetsOf(name, `connector-${slug}`));
  }
  if (!(await ports.waitForLedger()))
    findings.add('ledger', 'the audit-logger did not catch up with the audit topic in time; is it running?');

  const sources: SourceSums[] = [];
  for (const slug of scope.sources)
    sources.push(await proveSource(ports.query, slug, raw.get(topicFamilies.raw(slug).name) ?? [], findings));
  const byDomain: DomainSums[] = [];
  for (const domain of domains) {
    const sums = await proveDomain(ports.query, domain, events.get(topicFamilies.events(domain).name) ?? [], findings);
    if (sums.events > 0) byDomain.push(sums);
  }
  if (byDomain.every((sums) => sums.waiting === 0)) await proveHandOver(ports.query, scope.sources, raw, findings);
  const destinations = await proveDestinations(ports.query, scope.destinations, events, delivery, findings);
  const ledger = await proveLedger(ports, findings);
  return {
    from: scope.from?.toISOString() ?? null,
    to: scope.to?.toISOString() ?? null,
    sources: sources.filter((sums) => sums.accepted > 0),
    domains: byDomain,
    destinations,
    ledger,
    findings: findings.list,
    moreFindings: findings.more,
    closes: findings.list.length === 0,
  };
}

async function offsetsByTopic(ports: ProofPorts, names: readonly string[], group: string) {
  const entries = await Promise.all(names.map(async (name) => [name, await ports.offsetsOf(name, group)] as const));
  return new Map(entries);
}

interface Coverage {
  readonly total: number;
  /** Committed, and without a record. */
  readonly lost: number;
  /** Not committed, and without a record yet. */
  readonly waiting: number;
}

/** Every offset below the committed one has a record of the action; those above that have none are waiting. */
async function coverage(
  query: Query,
  about: { readonly topic: string; readonly action: string; readonly stage: string },
  offsets: readonly PartitionOffsets[],
  findings: Findings,
): Promise<Coverage> {
  let total = 0;
  let missing = 0;
  let waiting = 0;
  for (const { partition, low, high, committed } of offsets) {
    total += high - low;
    const settledTo = committedEnd({ partition, low, high, committed });
    const lost = await offsetsWithout(query, { ...about, partition }, low, settledTo);
    for (const range of lost) {
      findings.add(
        about.topic,
        `${named(about.topic, partition, range)} committed by the ${about.stage} without a record of what became of it`,
      );
    }
    missing += await countOffsetsWithout(query, { ...about, partition }, low, settledTo);
    waiting += await countOffsetsWithout(query, { ...about, partition }, settledTo, high);
  }
  return { total, lost: missing, waiting };
}

const named = (topic: string, partition: number, { first, last }: OffsetRange): string =>
  first === last
    ? `${topic} partition ${partition} offset ${first}:`
    : `${topic} partition ${partition} offsets ${first} to ${last}:`;

async function proveSource(
  query: Query,
  source: string,
  offsets: readonly PartitionOffsets[],
  findings: Findings,
): Promise<SourceSums> {
  const topic = topicFamilies.raw(source).name;
  const { total, lost } = await coverage(query, { topic, action: 'accepted', stage: 'normalizer' }, offsets, findings);
  const outcomes = await outcomesOf(query, topic, 'accepted', boundsOf(offsets));
  const count = (outcome: string) => outcomes.get(outcome) ?? 0;
  const sums = {
    source,
    accepted: total,
    normalized: count('normalized'),
    duplicate: count('duplicate'),
    filtered: count('filtered'),
    dead: count('dead'),
    waiting: waitingOf(total, lost, outcomes),
  };
  const accounted = sums.normalized + sums.duplicate + sums.filtered + sums.dead + sums.waiting;
  if (accounted !== total)
    findings.add(topic, `accepted ${total} is not normalized + duplicate + filtered + dead + waiting = ${accounted}`);
  return sums;
}

async function proveDomain(
  query: Query,
  domain: (typeof domains)[number],
  offsets: readonly PartitionOffsets[],
  findings: Findings,
): Promise<DomainSums> {
  const topic = topicFamilies.events(domain).name;
  const { total, lost } = await coverage(query, { topic, action: 'planned', stage: 'router' }, offsets, findings);
  const outcomes = await outcomesOf(query, topic, 'planned', boundsOf(offsets));
  const waiting = waitingOf(total, lost, outcomes);
  const dead = outcomes.get('dead') ?? 0;
  const routed = (outcomes.get('planned') ?? 0) + (outcomes.get('unsubscribed') ?? 0);
  if (routed + dead + waiting !== total)
    findings.add(topic, `events ${total} is not routed + dead + waiting = ${routed + dead + waiting}`);
  return { domain, events: total, routed, dead, waiting };
}

/**
 * What is neither lost nor became anything. Taken from the outcomes and not counted by itself: the ledger grows between
 * two questions, and what was waiting at the first would be missing from the sum at the second.
 */
function waitingOf(total: number, lost: number, outcomes: ReadonlyMap<string, number>): number {
  const became = [...outcomes.values()].reduce((sum, count) => sum + count, 0);
  return Math.max(0, total - lost - became);
}

/** What the normalizer says it made has reached the router. */
async function proveHandOver(
  query: Query,
  sources: readonly string[],
  raw: ReadonlyMap<string, readonly PartitionOffsets[]>,
  findings: Findings,
): Promise<void> {
  for (const source of sources) {
    const topic = topicFamilies.raw(source).name;
    // What was not committed when the positions were read may have become an event after them.
    for (const lost of await eventsNeverRouted(query, topic, committedBounds(raw.get(topic) ?? []), mostNamed)) {
      findings.add(
        topic,
        `event ${lost.eventId} of ${lost.eventSource} (${lost.origin}) was normalized and never reached the router`,
      );
    }
  }
}

async function proveDestinations(
  query: Query,
  destinations: readonly string[],
  events: ReadonlyMap<string, readonly PartitionOffsets[]>,
  delivery: ReadonlyMap<string, readonly PartitionOffsets[]>,
  findings: Findings,
): Promise<DestinationSums[]> {
  const bounds: TopicBounds[] = [...events].flatMap(([topic, offsets]) =>
    boundsOf(offsets).map((bound) => ({ topic, ...bound })),
  );
  // Of events that were committed later, deliveries may have been written after the positions were read.
  const surely: TopicBounds[] = [...events].flatMap(([topic, offsets]) =>
    committedBounds(offsets).map((bound) => ({ topic, ...bound })),
  );
  const all: DestinationSums[] = [];
  for (const destination of destinations) {
    const topic = topicFamilies.delivery(destination).name;
    const offsets = delivery.get(topic) ?? [];
    // Before the states: what is settled in between then counts as waiting, never as lost.
    const open = await coverage(query, { topic, action: 'settled', stage: 'connector' }, offsets, findings);
    const states = await deliveriesByState(query, bounds);
    const count = (...wanted: string[]) =>
      states
        .filter((row) => row.destination === destination && wanted.includes(row.state))
        .reduce((sum, row) => sum + row.count, 0);
    const lost = await unsettledDeliveries(query, surely, destination, open.waiting + mostNamed);
    if (lost.length > open.waiting) {
      for (const id of lost.slice(0, mostNamed)) {
        findings.add(destination, `delivery ${id} was planned, is not settled and does not wait in ${topic}`);
      }
    }
    for (const id of await settledButNeverPlanned(query, topic, boundsOf(offsets), mostNamed)) {
      findings.add(destination, `delivery ${id} was settled and no router planned it`);
    }
    const sums = {
      destination,
      planned: states.filter((row) => row.destination === destination).reduce((sum, row) => sum + row.count, 0),
      delivered: count('delivered'),
      dead: count('dead'),
      discarded: count('discarded'),
      waiting: count('waiting', 'redriven'),
    };
    if (sums.planned > 0 || open.total > 0) all.push(sums);
  }
  return all;
}

/** Every offset of the audit topic is a row, from the first that the ledger or the topic has to the last that was taken. */
async function proveLedger(ports: ProofPorts, findings: Findings): Promise<LedgerSums> {
  const positions = await ledgerPositions(ports.query);
  const sums = { records: 0, rows: 0, waiting: 0 };
  for (const { partition, low, high, committed } of await ports.offsetsOf(topics.audit.name, 'audit-logger')) {
    const position = positions.get(partition) ?? { first: low, next: low };
    const from = Math.min(low, position.first);
    // What the group committed was written once, also when the ledger itself no longer knows: a restored backup.
    const to = Math.min(Math.max(position.next, committed ?? low, low), high);
    for (const range of await auditOffsetsWithoutRow(ports.query, partition, from, to)) {
      findings.add('ledger', `${named(topics.audit.name, partition, range)} the row is missing from the ledger`);
    }
    sums.records += high - from;
    sums.rows += await auditRowCount(ports.query, partition, from, high);
    sums.waiting += Math.max(0, high - to);
  }
  return sums;
}

const committedEnd = ({ low, high, committed }: PartitionOffsets): number =>
  Math.min(Math.max(committed ?? low, low), high);

const committedBounds = (offsets: readonly PartitionOffsets[]) =>
  offsets.map((one) => ({ partition: one.partition, from: one.low, to: committedEnd(one) }));

const boundsOf = (offsets: readonly PartitionOffsets[]) =>
  offsets.map(({ partition, low, high }) => ({ partition, from: low, to: high }));
