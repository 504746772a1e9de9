import { type Domain, domains } from './domains.js';
import { days, defineTopic, type TopicDefinition } from './topic.js';

const rawRecord = 'tributary.raw.RawRecord';
const externalEvent = 'tributary.external.ExternalEvent';

/** A body of 1 MiB and what we add to it, with room: what is accepted once must fit every topic on its way. */
const largestValueBytes = 2 * 1024 * 1024;
const roomForHeadersBytes = 64 * 1024;

/** Canonical records by domain. A record type appears on its own domain's topic only, ExternalEvent on all. */
export const recordsByDomain: Readonly<Record<Domain, readonly string[]>> = {
  people: ['tributary.people.Employee', externalEvent],
  payroll: ['tributary.payroll.Payroll', externalEvent],
  recruiting: [externalEvent],
  crm: [externalEvent],
  commerce: [externalEvent],
  billing: ['tributary.billing.Customer', 'tributary.billing.Invoice', 'tributary.billing.Payment', externalEvent],
  work: ['tributary.work.Issue', 'tributary.work.PullRequest', 'tributary.work.Push', externalEvent],
  identity: [externalEvent],
};

/** Made at the first call: stages ask for a topic with every record. */
function once<Name extends string>(make: (name: Name) => TopicDefinition): (name: Name) => TopicDefinition {
  const made = new Map<Name, TopicDefinition>();
  return (name) => {
    const known = made.get(name);
    if (known) return known;
    const topic = make(name);
    made.set(name, topic);
    return topic;
  };
}

/** Topics that exist once per source, domain or destination. `libs/registry` lists the concrete ones. */
export const topicFamilies = {
  raw: once((source: string) =>
    defineTopic({
      name: `raw.${source}.v1`,
      records: [rawRecord],
      key: 'tenant:connection:subject',
      owner: 'ingress',
      retentionMs: days(7),
      maxMessageBytes: largestValueBytes,
      purpose: `What ${source} sent, byte for byte. Can be normalized again while it is retained.`,
    }),
  ),
  events: once((domain: Domain) =>
    defineTopic({
      name: `events.${domain}.v1`,
      records: recordsByDomain[domain],
      key: 'tenant:subject',
      owner: 'normalizer',
      retentionMs: days(14),
      maxMessageBytes: largestValueBytes,
      purpose: `Canonical events of the domain ${domain}.`,
    }),
  ),
  delivery: once((destination: string) =>
    defineTopic({
      name: `delivery.${destination}.v1`,
      records: domains.flatMap((domain) => recordsByDomain[domain]).filter((name, i, all) => all.indexOf(name) === i),
      key: 'tenant:subject; partition chosen by connection',
      owner: 'router',
      retentionMs: days(14),
      maxMessageBytes: largestValueBytes,
      purpose: `One record for each delivery of one event to one ${destination} account.`,
    }),
  ),
} as const;

/**
 * The retry topic of a consumer group. `group` is given where several groups consume the topic.
 * It has the origin's partition count and key, and keeps the partition number.
 */
export function retryTopicOf(origin: TopicDefinition, group?: string): TopicDefinition {
  return chainTopic(origin, 'retry', group, 'Records that wait for a later attempt.');
}

/** The dead-letter topic of a consumer group: original key, value and headers, plus why. */
export function deadLetterTopicOf(origin: TopicDefinition, group?: string): TopicDefinition {
  return chainTopic(origin, 'dlt', group, 'Records that will not succeed by themselves.');
}

function chainTopic(
  origin: TopicDefinition,
  suffix: 'retry' | 'dlt',
  group: string | undefined,
  purpose: string,
): TopicDefinition {
  return defineTopic({
    ...origin,
    name: [origin.name, group, suffix].filter(Boolean).join('.'),
    owner: group ?? ownerOfChain(origin),
    retentionMs: days(14),
    // A record comes with headers that say why it is here. A topic that refused it would hold its lane for good.
    ...(origin.maxMessageBytes !== undefined && { maxMessageBytes: origin.maxMessageBytes + roomForHeadersBytes }),
    purpose: `${purpose} Origin: ${origin.name}.`,
  });
}

function ownerOfChain({ name }: TopicDefinition): string {
  if (name.startsWith('raw.')) return 'normalizer';
  return name.startsWith('audit.') ? 'audit-logger' : 'connector';
}

const control = (name: string, record: string, key: string, purpose: string): TopicDefinition =>
  defineTopic({ name, records: [record], key, owner: 'operator', partitions: 1, cleanup: 'compact', purpose });

/** Topics that exist exactly once. */
export const topics = {
  audit: defineTopic({
    name: 'audit.records.v1',
    records: ['tributary.audit.AuditRecord'],
    key: 'tenant:event id',
    owner: 'every stage',
    retentionMs: days(14),
    purpose: 'Who did what, when, where and why, for every event. The ledger keeps it for years.',
  }),
  auditCheckpoints: defineTopic({
    name: 'audit.checkpoints.v1',
    records: ['tributary.audit.Checkpoint'],
    // With the hour, or compaction would leave one checkpoint of each tree and no history to hold an export against.
    key: 'tree:hour',
    owner: 'audit-logger',
    partitions: 1,
    cleanup: 'compact',
    purpose: 'Signed checkpoints of the ledger; of each tree, the last one of every hour is kept for good.',
  }),
  connections: control(
    'control.connections.v1',
    'tributary.control.Connection',
    'connection id',
    'Accounts at sources and destinations.',
  ),
  subscriptions: control(
    'control.subscriptions.v1',
    'tributary.control.Subscription',
    'subscription id',
    'Which events go where.',
  ),
  suspensions: control(
    'control.suspensions.v1',
    'tributary.control.Suspension',
    'connection id',
    'Connections that wait for a person.',
  ),
  apiKeys: control('control.api-keys.v1', 'tributary.control.ApiKey', 'key id', 'Hashes of the publish API keys.'),
  operations: defineTopic({
    name: 'operations.events.v1',
    records: ['tributary.operations.OperationsEvent'],
    key: 'subject',
    owner: 'every stage',
    partitions: 1,
    retentionMs: days(14),
    purpose: 'What an operator should know.',
  }),
} as const satisfies Record<string, TopicDefinition>;

/** Slug of the source that the publish API writes as. */
export const publishSource = 'publish';

export interface CatalogueScope {
  /** Slugs of the sources, the publish API's included. */
  readonly sources: readonly string[];
  readonly destinations: readonly string[];
}

/** Every topic of a deployment with these sources and destinations, without repeats, ordered by name. */
export function catalogue({ sources, destinations }: CatalogueScope): TopicDefinition[] {
  const raw = sources.map(topicFamilies.raw);
  const events = domains.map(topicFamilies.events);
  const delivery = destinations.map(topicFamilies.delivery);
  const all = [
    ...Object.values(topics),
    deadLetterTopicOf(topics.audit),
    ...raw.flatMap((topic) => [topic, retryTopicOf(topic), deadLetterTopicOf(topic)]),
    ...events.flatMap((topic) => [topic, retryTopicOf(topic, 'router'), deadLetterTopicOf(topic, 'router')]),
    ...delivery.flatMap((topic) => [topic, retryTopicOf(topic), deadLetterTopicOf(topic)]),
  ];
  return all.sort((a, b) => (a.name < b.name ? -1 : 1));
}
