import type { ApiKey, Connection, Subscription } from '@tributary/contracts';
import { sha256Hex } from '@tributary/domain';
import type { ApiKeySpec, ConnectionSpec, Integrations, SubscriptionSpec } from './integration-file.js';

/** The rows of the control topics by id. */
export interface AppliedState {
  readonly connections: ReadonlyMap<string, Connection>;
  readonly subscriptions: ReadonlyMap<string, Subscription>;
  readonly apiKeys: ReadonlyMap<string, ApiKey>;
}

export type TableName = keyof AppliedState;

export interface Change {
  readonly table: TableName;
  readonly id: string;
  readonly tenant: string;
  readonly act: 'create' | 'update' | 'delete';
  /** Fields that differ; empty for create and delete. */
  readonly fields: readonly string[];
  /** Version that the plan was made against; 0: there was no row. */
  readonly seen: number;
  /** The new row; null deletes. */
  readonly row: Connection | Subscription | ApiKey | null;
}

export interface Plan {
  readonly changes: readonly Change[];
  readonly unchanged: number;
  /** Worth knowing, and no reason to stop. */
  readonly notes: readonly string[];
}

export interface PlanOptions {
  readonly actor: string;
  readonly nowMs: number;
  /** Delete what is applied and in no file. */
  readonly prune: boolean;
  /** Reads the plain text of a secret reference; used for API keys, of which only a hash is kept. */
  readonly readSecret: (reference: string) => string;
}

/** What has to be written so that the control topics say what the files say. Pure. */
export function planIntegrations(wanted: Integrations, applied: AppliedState, options: PlanOptions): Plan {
  const stamp = { updatedAt: options.nowMs, updatedBy: options.actor };
  const rows = [
    ...wanted.connections.map((spec) => ['connections', { ...connectionRow(spec), ...stamp }] as const),
    ...wanted.subscriptions.map((spec) => ['subscriptions', { ...subscriptionRow(spec), ...stamp }] as const),
    ...wanted.apiKeys.map((spec) => ['apiKeys', { ...apiKeyRow(spec, options.readSecret), ...stamp }] as const),
  ];
  const upserts = rows.flatMap(([table, row]) => changeOf(table, row, applied[table].get(row.id)));
  const deletions = options.prune ? deletionsOf(wanted, applied) : [];
  return {
    changes: [...upserts, ...deletions],
    unchanged: rows.length - upserts.length,
    notes: notesOf(wanted, applied, options.prune),
  };
}

type Unversioned<T> = Omit<T, 'version' | 'updatedAt' | 'updatedBy'>;

const connectionRow = (spec: ConnectionSpec): Unversioned<Connection> => ({
  id: spec.id,
  tenant: spec.tenant,
  source: spec.source ?? null,
  destination: spec.destination ?? null,
  settings: JSON.stringify(spec.settings),
  secrets: JSON.stringify(spec.secrets),
  unknownOutcome: spec.unknownOutcome === 'retry-although-it-may-repeat' ? 'retry' : (spec.unknownOutcome ?? null),
  limits: spec.limits ? JSON.stringify(spec.limits) : null,
  onDead: spec.onDead ?? null,
});

const subscriptionRow = (spec: SubscriptionSpec): Unversioned<Subscription> => ({
  id: spec.id,
  tenant: spec.tenant,
  events: spec.events,
  filter: spec.filter ?? null,
  to: spec.to,
  operation: spec.operation,
  mapping: spec.mapping ? JSON.stringify(spec.mapping) : null,
});

const apiKeyRow = (spec: ApiKeySpec, readSecret: PlanOptions['readSecret']): Unversioned<ApiKey> => ({
  id: spec.id,
  tenant: spec.tenant,
  hash: hashOfKey(spec, readSecret(spec.key)),
  scopes: spec.scopes,
});

function hashOfKey({ id }: ApiKeySpec, key: string): string {
  // Requests are matched to the key by what stands before the dot.
  if (!key.startsWith(`${id}.`)) throw new UnusableApiKey(id);
  return sha256Hex(key);
}

class UnusableApiKey extends Error {
  override readonly name = 'UnusableApiKey';
  constructor(id: string) {
    super(`api key ${id}: the key itself must begin with "${id}.", or no request can be matched to it`);
  }
}

type Row = Connection | Subscription | ApiKey;

function changeOf(table: TableName, row: Omit<Row, 'version'>, before: Row | undefined): Change[] {
  const fields = before ? differingFields(row, before) : [];
  if (before && fields.length === 0) return [];
  const version = (before?.version ?? 0) + 1;
  const act = before ? 'update' : 'create';
  return [{ table, id: row.id, tenant: row.tenant, act, fields, seen: version - 1, row: { ...row, version } as Row }];
}

const bookkeeping = new Set(['version', 'updatedAt', 'updatedBy']);

function differingFields(row: object, before: object): string[] {
  const old = before as Record<string, unknown>;
  return Object.entries(row)
    .filter(([name, value]) => !bookkeeping.has(name) && JSON.stringify(value) !== JSON.stringify(old[name]))
    .map(([name]) => name);
}

function deletionsOf(wanted: Integrations, applied: AppliedState): Change[] {
  return (['connections', 'subscriptions', 'apiKeys'] as const).flatMap((table) => {
    const kept = new Set(wanted[table].map((spec) => spec.id));
    return [...applied[table].values()]
      .filter((row) => !kept.has(row.id))
      .map(({ id, tenant, version }) => ({ table, id, tenant, act: 'delete', fields: [], seen: version, row: null }));
  });
}

function notesOf(wanted: Integrations, applied: AppliedState, prune: boolean): string[] {
  const staying = prune ? [] : applied.connections.keys();
  const connections = new Set([...staying, ...wanted.connections.map((spec) => spec.id)]);
  return wanted.subscriptions
    .filter((spec) => !connections.has(spec.to))
    .map((spec) => `subscription ${spec.id} is inactive: connection ${spec.to} does not exist`);
}
