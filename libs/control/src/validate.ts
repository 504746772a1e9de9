import {
  acceptsType,
  checkMapping,
  type DestinationDefinition,
  parseSettings,
  type SourceDefinition,
} from '@tributary/connector-kit';
import { parseEventType } from '@tributary/contracts';
import { compileFilter } from '@tributary/domain';
import type { Integrations, SubscriptionSpec } from './integration-file.js';

/** The definitions that this build knows. */
export interface Definitions {
  source(slug: string): SourceDefinition | undefined;
  destination(slug: string): DestinationDefinition | undefined;
  readonly sourceSlugs: readonly string[];
  readonly destinationSlugs: readonly string[];
}

/** A connection that subscriptions may point to: from the files or already applied. */
export interface KnownConnection {
  readonly id: string;
  readonly tenant: string;
  readonly destination?: string | null | undefined;
}

/** Everything that is wrong with what files ask for, one sentence each. */
export function validateIntegrations(
  integrations: Integrations,
  definitions: Definitions,
  applied: readonly KnownConnection[],
): string[] {
  const connections = new Map<string, KnownConnection>(applied.map((row) => [row.id, row]));
  for (const row of integrations.connections) connections.set(row.id, row);
  return [
    ...repeated('connection', integrations.connections),
    ...repeated('subscription', integrations.subscriptions),
    ...repeated('api key', integrations.apiKeys),
    ...integrations.connections.flatMap((row) => connectionProblems(row, definitions)),
    ...integrations.subscriptions.flatMap((row) => subscriptionProblems(row, definitions, connections)),
  ];
}

function repeated(kind: string, rows: ReadonlyArray<{ readonly id: string }>): string[] {
  const ids = rows.map(({ id }) => id);
  const twice = new Set(ids.filter((id, index) => ids.indexOf(id) !== index));
  return [...twice].map((id) => `${kind} ${id} is there more than once`);
}

function connectionProblems(row: Integrations['connections'][number], definitions: Definitions): string[] {
  const name = `connection ${row.id}`;
  const slug = row.source ?? row.destination ?? '';
  const definition = row.source ? definitions.source(slug) : definitions.destination(slug);
  if (!definition || (row.source && definitions.source(slug)?.kind === 'internal')) {
    const known = row.source ? definitions.sourceSlugs : definitions.destinationSlugs;
    return [`${name}: ${row.source ? 'source' : 'destination'} ${slug} is not known; there are ${known.join(', ')}`];
  }
  const settings = parseSettings(definition, row.settings);
  const wrongSettings = settings.ok ? [] : settings.errors;
  const unknownSecrets = Object.keys(row.secrets)
    .filter((secret) => !Object.hasOwn(definition.secrets, secret))
    .map((secret) => `secrets.${secret} is not known to ${slug}`);
  const missingSecrets = Object.entries(definition.secrets)
    .filter(
      ([secret, field]) => !field.optional && (row.secrets[secret] ?? []).length === 0 && !isPending(row.settings),
    )
    .map(([secret, field]) => `secrets.${secret} is missing: ${field.help}`);
  const destination = row.destination === undefined ? undefined : definitions.destination(slug);
  const unsafe = destination ? [...unknownOutcomeProblems(row, destination), ...onDeadProblems(row, destination)] : [];
  return [...wrongSettings, ...unknownSecrets, ...missingSecrets, ...unsafe].map((problem) => `${name}: ${problem}`);
}

function unknownOutcomeProblems(
  { unknownOutcome }: Integrations['connections'][number],
  destination: DestinationDefinition,
): string[] {
  if (unknownOutcome === 'retry' && destination.promises.idempotency === 'none') {
    return [
      `unknownOutcome: ${destination.slug} does not drop repeats, so retry may do things twice; write drop, hold or retry-although-it-may-repeat`,
    ];
  }
  if (unknownOutcome === 'retry-although-it-may-repeat' && destination.promises.idempotency === 'key')
    return [`unknownOutcome: ${destination.slug} drops repeats; write retry`];
  return [];
}

function onDeadProblems(
  { onDead }: Integrations['connections'][number],
  { slug, promises }: DestinationDefinition,
): string[] {
  if (onDead !== 'hold' || promises.ordering !== 'none') return [];
  return [`onDead: ${slug} has no order by key, so a dead letter has no key to hold; leave it out`];
}

// A connection that still waits for the source's handshake has no secret yet: the handshake brings it.
const isPending = (settings: Readonly<Record<string, unknown>>): boolean => settings.pending === true;

function subscriptionProblems(
  row: SubscriptionSpec,
  definitions: Definitions,
  connections: ReadonlyMap<string, KnownConnection>,
): string[] {
  const problems: string[] = [];
  for (const type of row.events)
    if (!parseEventType(type)) problems.push(`${type} is not an event type (domain.entity.verb-past)`);
  const filter = row.filter === undefined ? undefined : compileFilter(row.filter);
  if (filter && !filter.ok) problems.push(`filter ${filter.reason}`);
  problems.push(...checkMapping(row.mapping ?? {}));
  const target = connections.get(row.to);
  // A missing connection is no problem: the subscription is inactive until it comes, and the plan says so.
  if (target) problems.push(...targetProblems(row, target, definitions));
  return problems.map((problem) => `subscription ${row.id}: ${problem}`);
}

function targetProblems(row: SubscriptionSpec, target: KnownConnection, definitions: Definitions): string[] {
  if (target.tenant !== row.tenant)
    return [`connection ${row.to} belongs to tenant ${target.tenant}, not ${row.tenant}`];
  const destination = target.destination ? definitions.destination(target.destination) : undefined;
  if (!destination) return [`connection ${row.to} is not a destination`];
  const operation = Object.hasOwn(destination.operations, row.operation)
    ? destination.operations[row.operation]
    : undefined;
  if (!operation) {
    return [
      `${destination.slug} has no operation ${row.operation}; there are ${Object.keys(destination.operations).join(', ')}`,
    ];
  }
  return row.events
    .filter((type) => !acceptsType(operation.accepts, type))
    .map((type) => `${destination.slug}.${row.operation} does not take ${type}`);
}
