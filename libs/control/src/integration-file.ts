import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isSecretReference } from '@tributary/config';
import { isId } from '@tributary/domain';
import { type Document, isCollection, isNode, LineCounter, parseAllDocuments, visit } from 'yaml';
import { z } from 'zod';

const id = z.string().refine(isId, 'must match [a-z0-9][a-z0-9-]{0,62}');
const secretReference = z
  .string()
  .refine(isSecretReference, 'must be a reference (file:, enc: or env:): a plain secret does not belong in a file');

const connectionLimits = z
  .strictObject({
    maxInFlight: z.int().min(1).max(1_000).optional(),
    perSecond: z.number().min(0.001).max(100_000).optional(),
    burst: z.int().min(1).max(100_000).optional(),
  })
  .refine((limits) => limits.burst === undefined || limits.perSecond !== undefined, 'burst needs perSecond');

/** `retry-although-it-may-repeat` is how an account without idempotency asks for `retry`: nobody should write that by accident. */
const unknownOutcome = z.enum(['retry', 'drop', 'hold', 'retry-although-it-may-repeat']);

const connection = z
  .strictObject({
    id,
    tenant: id,
    source: z.string().optional(),
    destination: z.string().optional(),
    settings: z.record(z.string(), z.unknown()).default({}),
    secrets: z.record(z.string(), z.array(secretReference)).default({}),
    unknownOutcome: unknownOutcome.optional(),
    onDead: z.enum(['continue', 'hold']).optional(),
    limits: connectionLimits.optional(),
  })
  .refine(
    ({ destination, unknownOutcome, onDead, limits }) =>
      destination !== undefined || [unknownOutcome, onDead, limits].every((one) => one === undefined),
    'is a source: unknownOutcome, onDead and limits are for destinations',
  )
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
  const { texts, unreadable } = readTexts(paths);
  const nothing = texts.length === 0 && unreadable.length === 0;
  const problems = nothing ? [`${paths.join(', ')}: no YAML file found`] : unreadable;
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

function readTexts(paths: readonly string[]) {
  const texts: Array<{ readonly path: string; readonly text: string }> = [];
  const unreadable: string[] = [];
  for (const path of paths) {
    try {
      texts.push(...expand(path).map((file) => ({ path: file, text: readFileSync(file, 'utf8') })));
    } catch (error) {
      unreadable.push(`${path}: cannot be read: ${(error as Error).message}`);
    }
  }
  return { texts, unreadable };
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
  const { documents, problems } = readDocuments(path, text);
  const filled = documents.flatMap((one) => one.connections ?? []).map((row) => fillVariables(row, environment));
  const missing = filled.flatMap(({ connection, missing }) =>
    missing.map((name) => `${path}: connection ${connection.id} needs ${name}, which is not set`),
  );
  return {
    integrations: {
      connections: filled.map(({ connection }) => connection),
      subscriptions: documents.flatMap((one) => one.subscriptions ?? []),
      apiKeys: documents.flatMap((one) => one.apiKeys ?? []),
    },
    problems: [...problems, ...missing],
  };
}

interface DocumentsReading {
  readonly documents: ReadonlyArray<z.infer<typeof document>>;
  readonly problems: readonly string[];
}

function readDocuments(path: string, text: string): DocumentsReading {
  const lines = new LineCounter();
  const at = (offset: number) => `${path}:${lines.linePos(offset).line}`;
  const documents: Array<z.infer<typeof document>> = [];
  const problems: string[] = [];
  try {
    for (const yaml of parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true })) {
      if (yaml.errors.length > 0) {
        problems.push(...yaml.errors.map((error) => `${at(error.pos[0])}: ${firstLine(error.message)}`));
        continue;
      }
      const parsed = document.safeParse(contentOf(yaml));
      if (parsed.success) documents.push(parsed.data);
      else problems.push(...parsed.error.issues.map((issue) => `${at(offsetOf(yaml, issue.path))}: ${wording(issue)}`));
    }
  } catch (error) {
    // The parser gives up on what nests without end, and on aliases, with an exception.
    problems.push(`${path}: cannot be read: ${firstLine((error as Error).message)}`);
  }
  return { documents, problems };
}

/** @throws Error for a file with aliases: they can make it expand without end, and integration files have no use for them. */
function contentOf(yaml: Document): unknown {
  visit(yaml, {
    Alias: (_, { source }) => {
      throw new Error(`*${source} is an alias, and aliases are not allowed`);
    },
  });
  return yaml.toJS() ?? {};
}

function offsetOf(yaml: Document, path: readonly PropertyKey[]): number {
  // The member that is wrong, or the nearest around it that is there.
  for (let length = path.length; length > 0; length--) {
    const parent = yaml.getIn(path.slice(0, length - 1), true);
    const node = isCollection(parent) ? parent.get(path[length - 1] as string, true) : undefined;
    if (isNode(node) && node.range) return node.range[0];
  }
  return yaml.contents?.range?.[0] ?? 0;
}

const wording = ({ path, message }: z.core.$ZodIssue): string => `${path.join('.') || 'document'} ${message}`;
const firstLine = (message: string): string => message.split('\n', 1)[0] ?? message;
