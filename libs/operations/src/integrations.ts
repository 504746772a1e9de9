import type { ControlTables } from '@tributary/control';
import {
  ControlWriter,
  type Definitions,
  type Integrations,
  type Plan,
  planIntegrations,
  validateIntegrations,
} from '@tributary/control/apply';
import { registry } from '@tributary/registry';
import type { Platform } from '@tributary/runtime';

export interface IntegrationTables {
  readonly tables: ControlTables;
  readonly writer: ControlWriter;
  close(): Promise<void>;
}

/** The control tables, complete, and a writer that audits each change. */
export async function openIntegrationTables(platform: Platform, actor: string): Promise<IntegrationTables> {
  const followed = await platform.followTables(['connections', 'subscriptions', 'apiKeys', 'suspensions']);
  const writer = new ControlWriter({
    tables: followed.tables,
    encode: (topic, record, value) => platform.codec.encode(topic, record, value),
    send: (record) => platform.producer.send(record),
    audit: (record) => platform.audit.write(record),
    nowMs: Date.now,
    actor,
  });
  return { tables: followed.tables, writer, close: () => followed.close() };
}

export type PlanResult =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly problems: readonly string[] };

export interface PlanRequest {
  readonly integrations: Integrations;
  readonly tables: ControlTables;
  readonly actor: string;
  readonly prune: boolean;
  readonly readSecret: (reference: string) => string;
}

/** What has to be written, or everything that is wrong with what was asked. */
export function planAgainst({ integrations, tables, actor, prune, readSecret }: PlanRequest): PlanResult {
  const applied = {
    connections: tables.connections.all(),
    subscriptions: tables.subscriptions.all(),
    apiKeys: tables.apiKeys.all(),
  };
  const problems = validateIntegrations(integrations, definitions, [...applied.connections.values()]);
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, plan: planIntegrations(integrations, applied, { actor, nowMs: Date.now(), prune, readSecret }) };
}

const definitions: Definitions = {
  source: (slug) => registry.sources.get(slug),
  destination: (slug) => registry.destinations.get(slug),
  sourceSlugs: [...registry.sources.values()].filter(({ kind }) => kind === 'webhook').map(({ slug }) => slug),
  destinationSlugs: [...registry.destinations.keys()],
};
