import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isSecretReference } from '@tributary/config';
import { isId } from '@tributary/domain';
import { LineCounter, parseAllDocuments } from 'yaml';
import { z } from 'zod';

const id = z.string().refine(isId, 'must match [a-z0-9][a-z0-9-]{0,62}');
const secretReference = z
  .string()
  .refine(isSecretReference, 'must be a reference (file:, enc: or env:): a plain secret does not belong in a file');

const connection = z
  .strictObject({
    id,
    tenant: id,
    source: z.string().optional(),
    destination: z.string().optional(),
    settings: z.record(z.string(), z.unknown()).default({}),
    secrets: z.record(z.string(), z.array(secretReference)).default({}),
  })
  .refine(
    (row) => (row.source === undefined) !== (row.destination === undefined),
    'needs exactly one of source and destination',
  );

const subscription = z.strictObject({
  id,
  tenant: id,
  events: z.array(z.string()).min(1),
  filter: z.string().optional(),
  to: id,
  operation: z.string(),
  mapping: z.record(z.string(), z.string()).optional(),
});

const apiKey = z.strictObject({
  id,
  tenant: id,
  key: secretReference,
  scopes: z.array(z.string()).default(['publish']),
});

const document = z.strictObject({
  connections: z.array(connection).optional(),
  subscriptions: z.array(subscription).optional(),
  apiKeys: z.array(apiKey).optional(),
});

export type ConnectionSpec = z.infer<typeof connection>;
export type SubscriptionSpec = z.infer<typeof subscription>;
export type ApiKeySpec = z.infer<typeof apiKey>;

/** What files ask for. */
export interface Integrations {
  readonly connections: readonly ConnectionSpec[];
  readonly subscriptions: readonly SubscriptionSpec[];
  readonly apiKeys: readonly ApiKeySpec[];
}

export interface IntegrationReading {
  readonly integrations: Integrations;
  /** `<file>:<line>: <what>`; empty when everything was readable. */
  readonly problems: readonly string[];
}

/** Reads YAML files, or all `*.yaml` and `*.yml` directly in a folder, in order of name. */
export function readIntegrationFiles(paths: readonly string[], environment: Environment = {}): IntegrationReading {
  const texts = paths.flatMap(expand).map((path) => ({ path, text: readFileSync(path, 'utf8') }));
  const problems = texts.length === 0 ? [`${paths.join(', ')}: no YAML file found`] : [];
  const parts = texts.map(({ path, text }) => parseIntegrations(path, text, environment));
  return {
    integrations: {
      connections: parts.flatMap((part) => part.integrations.connections),
      subscriptions: parts.flatMap((part) => part.integrations.subscriptions),
      apiKeys: parts.flatMap((part) => part.integrations.apiKeys),
    },
    problems: [...problems, ...parts.flatMap((part) => part.problems)],
  };
}

export type Environment = Readonly<Record<string, string | undefined>>;

function fillVariables(connection: ConnectionSpec, environment: Environment) {
  const missing: string[] = [];
  const fill = (value: unknown): unknown =>
    typeof value !== 'string'
      ? value
      : value.replace(/\$\{([A-Z_][A-Z0-9_]*)\}/g, (_, name: string) => {
          const found = environment[name];
          if (found === undefined) missing.push(name);
          return found ?? '';
        });
  const settings = Object.fromEntries(Object.entries(connection.settings).map(([name, value]) => [name, fill(value)]));
  return { connection: { ...connection, settings }, missing };
}

function expand(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(path, name));
}

/** @param environment what `${NAME}` in settings stands for: the same files serve several environments. */
export function parseIntegrations(path: string, text: string, environment: Environment = {}): IntegrationReading {
  const lines = new LineCounter();
  const problems: string[] = [];
  const found: Integrations = { connections: [], subscriptions: [], apiKeys: [] };
  const at = (offset: number) => `${path}:${lines.linePos(offset).line}`;
  const merged = {
    connections: [...found.connections],
    subscriptions: [...found.subscriptions],
    apiKeys: [...found.apiKeys],
  };
  // Aliases can make a small file expand without end; integration files have no use for them.
  for (const yaml of parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true })) {
    if (yaml.errors.length > 0) {
      problems.push(...yaml.errors.map((error) => `${at(error.pos[0])}: ${error.message.split('\n', 1)[0]}`));
      continue;
    }
    const value: unknown = yaml.toJS({ maxAliasCount: 0 }) ?? {};
    const parsed = document.safeParse(value);
    if (!parsed.success) {
      problems.push(
        ...parsed.error.issues.map((issue) => {
          const node = yaml.getIn(issue.path as string[], true) as { range?: [number] } | undefined;
          return `${at(node?.range?.[0] ?? 0)}: ${issue.path.join('.') || 'document'} ${issue.message}`;
        }),
      );
      continue;
    }
    const filled = (parsed.data.connections ?? []).map((row) => fillVariables(row, environment));
    problems.push(
      ...filled.flatMap((row) =>
        row.missing.map((name) => `${path}: connection ${row.connection.id} needs ${name}, which is not set`),
      ),
    );
    merged.connections.push(...filled.map((row) => row.connection));
    merged.subscriptions.push(...(parsed.data.subscriptions ?? []));
    merged.apiKeys.push(...(parsed.data.apiKeys ?? []));
  }
  return { integrations: merged, problems };
}
