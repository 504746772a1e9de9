import type { Agent } from 'node:http';
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { logicalTypes } from '@tributary/contracts';
import type { Type } from 'avsc';
import { InvalidAvro, RegistryUnavailable, SchemaNotFound } from './serde-errors.js';

export interface RegistryOptions {
  /** The Confluent-compatible API, without a trailing slash. */
  readonly registryUrl: string;
  /** Asked again for every request. */
  readonly auth?: { readonly username: string; readonly password: string };
  /** Holds what TLS needs; absent: Node's own. */
  readonly agent?: Agent;
}

/** What both clients of the registry are made with. */
export const registryConnection = ({ registryUrl, auth, agent }: RegistryOptions) => ({
  host: registryUrl.replace(/\/+$/, ''),
  ...(auth && { auth }),
  ...(agent && { agent }),
});

/** The client has no time limit of its own. */
const timeoutMs = 5_000;

/** What the serde asks of a schema registry, with errors that tell "does not answer" from "does not know". */
export class RegistryLookup {
  private readonly registry: SchemaRegistry;
  private readonly url: string;

  constructor(options: RegistryOptions) {
    const connection = registryConnection(options);
    this.url = connection.host;
    this.registry = new SchemaRegistry(
      { ...connection, retry: { retries: 1, initialRetryTimeInSecs: 0.1 } },
      { [SchemaType.AVRO]: { logicalTypes: logicalTypes as never, wrapUnions: 'auto' as never } },
    );
  }

  /** Id under which exactly this schema is registered for the subject. */
  idOf(subject: string, schema: object): Promise<number> {
    const asked = { type: SchemaType.AVRO, schema: JSON.stringify(schema) } as const;
    return this.ask(subject, () => this.registry.getRegistryIdBySchema(subject, asked));
  }

  /** The schema as it was written, built with our logical types. */
  async typeOf(id: number): Promise<Type> {
    const schema = await this.ask(`id ${id}`, () => this.registry.getSchema(id));
    return schema as unknown as Type;
  }

  private async ask<T>(what: string, question: () => Promise<T>): Promise<T> {
    try {
      return await withinTime(question());
    } catch (error) {
      // A registry that is down comes back as an answer with status 400, so only a 404 says anything about the schema.
      if (isNotFound(error)) throw new SchemaNotFound(what, error);
      if (isOutage(error)) throw new RegistryUnavailable(this.url, error);
      throw new InvalidAvro(`schema ${what} is not an Avro schema that can be used`, error);
    }
  }
}

class NoAnswer extends Error {}

const isOutage = (error: unknown): boolean =>
  error instanceof NoAnswer || (error instanceof Error && typeof (error as { status?: number }).status === 'number');

function isNotFound(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // The look-up by schema wraps its 404 in an error class without a status.
  return (error as { status?: number }).status === 404 || error.constructor.name === 'ConfluentSchemaRegistryError';
}

async function withinTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NoAnswer(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
