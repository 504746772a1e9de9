import { type AuditRecord, topicFamilies, topics } from '@tributary/contracts';
import {
  type AcceptedOutcome,
  acceptedRecord,
  deliveryId,
  operatedRecord,
  plannedRecord,
  type SettledOutcome,
  settledRecord,
} from '@tributary/domain';
import { Database, Ledger, migrate } from '@tributary/persistence';
import { withDatabase } from '@tributary/testing';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { oneDataKey } from '../../../persistence/src/testing/one-data-key.js';
import { tamper } from '../../../persistence/src/testing/tamper.js';
import type { PartitionOffsets, ProofPorts, ProofScope, StandingRecord, Surroundings, TopicRange } from '../ports.js';
import { prove } from '../prove.js';

const held = withDatabase();
let database: Database;

beforeAll(async () => {
  await migrate(held.url);
  database = new Database({ url: held.url, applicationName: 'spec', maxConnections: 3, onIdleError: () => undefined });
});
/** Next offset of the audit topic. */
let next = 0;
beforeEach(async () => {
  next = 0;
  await tamper(database, 'TRUNCATE ledger.audit_record, ledger.position, ledger.proof_block, ledger.proof_mark');
});
afterAll(() => database.close());

export const january = Date.UTC(2026, 0, 15);
const who = { actor: 'spec', occurredAtMs: january };
const source = '/acme/in';
export const rawTopic = topicFamilies.raw('gusto').name;
export const eventsTopic = topicFamilies.events('people').name;

export function accepted(
  offset: number,
  outcome: AcceptedOutcome,
  eventIds: readonly string[] = [],
  tenant = 'acme',
): AuditRecord {
  const eventId = eventIds[0] ?? `raw-${offset}`;
  const origin = { topic: rawTopic, partition: 0, offset };
  const event = { tenant, eventSource: source, eventId, eventType: 'people.employee.onboarded' };
  return acceptedRecord({
    ...who,
    ...event,
    origin,
    outcome,
    source: 'gusto',
    connectionId: 'in',
    eventIds,
    payloadDigest: '',
  });
}

export const to = (eventId: string, destination: string) => ({
  deliveryId: deliveryId(source, eventId, destination),
  subscriptionId: destination,
  connectionId: destination,
  destination,
  operation: 'send',
});

export function planned(offset: number, eventId: string, ...destinations: string[]): AuditRecord {
  const origin = { topic: eventsTopic, partition: 0, offset };
  const deliveries = destinations.map((destination) => to(eventId, destination));
  return plannedRecord({
    ...who,
    tenant: 'acme',
    eventSource: source,
    eventId,
    origin,
    deliveries,
    skipped: [],
    payloadDigest: '',
  });
}

export interface Settled {
  readonly offset: number;
  readonly eventId: string;
  readonly destination: string;
  readonly outcome?: SettledOutcome;
  readonly redrive?: string;
  readonly laterMs?: number;
}

export function settled({
  offset,
  eventId,
  destination,
  outcome = 'delivered',
  redrive,
  laterMs = 0,
}: Settled): AuditRecord {
  return settledRecord({
    ...who,
    ...to(eventId, destination),
    occurredAtMs: january + laterMs,
    tenant: 'acme',
    eventSource: source,
    eventId,
    origin: { topic: topicFamilies.delivery(destination).name, partition: 0, offset },
    attempt: 1,
    durationMs: 1,
    outcome,
    payloadDigest: '',
    acceptedAtMs: january,
    redrive,
  });
}

export function operated(
  action: 'redriven' | 'discarded',
  eventId: string,
  destination: string,
  laterMs: number,
): AuditRecord {
  const { deliveryId } = to(eventId, destination);
  const entity = `dead-letter:delivery.${destination}.v1.dlt/0/0`;
  return operatedRecord({
    ...who,
    occurredAtMs: january + laterMs,
    action,
    entity,
    reason: 'x',
    deliveryId,
    identity: 'x',
  });
}

/** Six raw records, four events, four deliveries: everything that can become of a record, once. */
export const story = {
  'raw 0': accepted(0, 'normalized', ['e0']),
  'raw 1': accepted(1, 'normalized', ['e1']),
  'raw 2': accepted(2, 'duplicate'),
  'raw 3': accepted(3, 'filtered'),
  'raw 4': accepted(4, 'dead'),
  'raw 5': accepted(5, 'normalized', ['e5:0', 'e5:1']),
  'event 0': planned(0, 'e0', 'slack', 'http'),
  'event 1': planned(1, 'e1'),
  'event 2': planned(2, 'e5:0', 'slack'),
  'event 3': planned(3, 'e5:1', 'slack'),
  'slack 0': settled({ offset: 0, eventId: 'e0', destination: 'slack' }),
  'slack 1': settled({ offset: 1, eventId: 'e5:0', destination: 'slack' }),
  'slack 2': settled({ offset: 2, eventId: 'e5:1', destination: 'slack' }),
  'http 0': settled({ offset: 0, eventId: 'e0', destination: 'http' }),
};
export type Name = keyof typeof story;

export const all = (end: number, low = 0): PartitionOffsets => ({ partition: 0, low, high: end, committed: end });
export const offsets: Record<string, PartitionOffsets> = {
  [rawTopic]: all(6),
  [eventsTopic]: all(4),
  [topicFamilies.delivery('slack').name]: all(3),
  [topicFamilies.delivery('http').name]: all(1),
};

export interface World {
  readonly without?: readonly Name[];
  readonly more?: readonly AuditRecord[];
  readonly offsets?: Record<string, PartitionOffsets>;
  /** Rows that the ledger lost after it had them. */
  readonly holes?: readonly number[];
  readonly ledgerInTime?: boolean;
  /** What stands in main topics. */
  readonly standing?: readonly StandingRecord[];
  /** What stands in retry topics. */
  readonly parked?: readonly StandingRecord[];
  readonly around?: Partial<Surroundings>;
  readonly scope?: Partial<ProofScope>;
}

/** Writes rows as the audit-logger does, behind those that are there. */
export async function tell(records: readonly AuditRecord[]): Promise<void> {
  await new Ledger({ database, dataKeys: oneDataKey() }).write(
    records.map((record, i) => ({ partition: 0, offset: BigInt(next + i), timestampMs: record.occurredAt, record })),
  );
  next += records.length;
}

export const changeRows = (statement: string): Promise<void> => tamper(database, statement);

export const query: Database['query'] = (text, values, name) => database.query(text, values, name);

export async function proofOf(world: World = {}) {
  const told = Object.entries(story).filter(([name]) => !world.without?.includes(name as Name));
  await tell([...told.map(([, record]) => record), ...(world.more ?? [])]);
  for (const hole of world.holes ?? [])
    await tamper(database, `DELETE FROM ledger.audit_record WHERE audit_offset = ${hole}`);
  return proofNow(world);
}

/** Proves what was told, without telling more. */
export function proofNow(world: World = {}) {
  const known: Record<string, PartitionOffsets> = {
    ...offsets,
    [topics.audit.name]: all(next),
    ...world.offsets,
  };
  return prove(portsOf(world, known), { ...everything, ...world.scope });
}

const everything = { sources: ['gusto', 'stripe'], destinations: ['slack', 'http'], from: null, to: null };
const nobody: Surroundings = { suspensions: new Map(), members: new Map(), gates: [] };

function portsOf(world: World, known: Readonly<Record<string, PartitionOffsets>>): ProofPorts {
  const isIn = ({ topic, partition, offset }: StandingRecord, range: TopicRange) =>
    topic === range.topic && partition === range.partition && offset >= range.from && offset < range.to;
  return {
    query: (text, values, name) => database.query(text, values, name),
    offsetsOf: async (topic) => [known[topic]].filter((one) => one !== undefined),
    waitForLedger: async () => world.ledgerInTime ?? true,
    parked: async () => world.parked ?? [],
    read: async function* (ranges) {
      for (const range of ranges) yield* (world.standing ?? []).filter((record) => isIn(record, range));
    },
    surroundings: async () => ({ ...nobody, ...world.around }),
    nowMs: () => january,
  };
}

interface Stands {
  readonly topic: string;
  readonly offset: number;
  /** In the main topic, of what stands in a retry topic. */
  readonly origin?: number;
  readonly eventId: string;
  readonly destination?: string;
  readonly key?: string;
  readonly more?: Partial<StandingRecord>;
}

export function standing({
  topic,
  offset,
  origin,
  eventId,
  destination,
  key = 'acme:s1',
  more,
}: Stands): StandingRecord {
  return {
    topic,
    partition: 0,
    offset,
    origin: { topic: topic.replace(/\.retry$/, ''), partition: 0, offset: origin ?? offset },
    key,
    eventSource: source,
    eventId,
    ...(destination !== undefined && { deliveryId: id(eventId, destination), connectionId: destination }),
    timestampMs: january - 1_000,
    attempts: 0,
    dueMs: 0,
    ...more,
  };
}

export const findingsOf = async (world: World): Promise<string[]> =>
  (await proofOf(world)).findings.map(({ where, what }) => `${where}: ${what}`);

export const id = (eventId: string, destination: string) => to(eventId, destination).deliveryId;
