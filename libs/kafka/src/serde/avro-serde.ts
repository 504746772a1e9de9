import { avroType, isRecordName, latestSchema, type TopicDefinition } from '@tributary/contracts';
import type { Type } from 'avsc';
import type { Clock } from '../connection/clock.js';
import { systemClock } from '../connection/clock.js';
import type { Logger } from '../connection/logger.js';
import { frame, unframe } from './framing.js';
import { RegistryLookup, type RegistryOptions } from './registry-lookup.js';
import { InvalidAvro, InvalidRecordValue, SchemaNotFound } from './serde-errors.js';

export interface AvroSerdeOptions extends RegistryOptions {
  readonly logger: Logger;
  readonly clock?: Clock;
}

export interface Decoded<T> {
  /** Full name of the record as it was written. */
  readonly recordName: string;
  readonly value: T;
  readonly schemaId: number;
}

type Resolver = ReturnType<Type['createResolver']>;

/** How long a schema that the registry does not know is not asked for again. */
const notFoundForMs = 5_000;

/**
 * Avro values in Confluent's framing, subject `<topic>-<record full name>`. Schemas are never registered here. Ids, types and
 * resolvers are looked up once, so the registry may be down as long as no schema is new.
 */
export class AvroSerde {
  private readonly lookup: RegistryLookup;
  private readonly logger: Logger;
  private readonly clock: Clock;
  private readonly ids = new Map<string, number>();
  private readonly writers = new Map<number, Type>();
  /** By the type that is read as, then by the id of the one that was written. */
  private readonly resolvers = new Map<Type, Map<number, Resolver>>();
  private readonly notFound = new Map<string, { error: SchemaNotFound; untilMs: number }>();
  private readonly asking = new Map<string, Promise<unknown>>();

  constructor(options: AvroSerdeOptions) {
    this.lookup = new RegistryLookup(options);
    this.logger = options.logger;
    this.clock = options.clock ?? systemClock;
  }

  /**
   * Encodes with the latest schema of this release.
   * @throws InvalidRecordValue, SchemaNotFound; RegistryUnavailable only while the id is unknown.
   */
  async encode(topic: TopicDefinition | string, recordName: string, value: object): Promise<Buffer> {
    const subject = subjectOf(topic, recordName);
    const id = this.ids.get(subject) ?? (await this.askForId(subject, recordName));
    return framed(id, recordName, value);
  }

  /** As `encode`, for a record that was encoded or warmed for this topic before. Undefined when its id is not known yet. */
  encodeSync(topic: TopicDefinition | string, recordName: string, value: object): Buffer | undefined {
    const id = this.ids.get(subjectOf(topic, recordName));
    return id === undefined ? undefined : framed(id, recordName, value);
  }

  /** Looks up the ids of these records of a topic, so that the first `encode` does not wait. */
  async warm(topic: TopicDefinition | string, recordNames: readonly string[]): Promise<void> {
    await Promise.all(
      recordNames.map(async (recordName) => {
        const subject = subjectOf(topic, recordName);
        if (!this.ids.has(subject)) await this.askForId(subject, recordName);
      }),
    );
  }

  /**
   * Reads a value of any version with the schema of this release.
   * @param readerRecordName the record expected; absent: the one that was written.
   * @throws InvalidAvro, SchemaNotFound, RegistryUnavailable.
   */
  async decode<T = Record<string, unknown>>(bytes: Buffer, readerRecordName?: string): Promise<Decoded<T>> {
    const { schemaId, body } = unframe(bytes);
    const writer = this.writers.get(schemaId) ?? (await this.askForType(schemaId));
    return this.decodeAs<T>(writer, schemaId, body, readerRecordName);
  }

  /** As `decode`, for a schema that was read before: undefined when it was not. @throws InvalidAvro. */
  decodeKnown<T = Record<string, unknown>>(bytes: Buffer, readerRecordName?: string): Decoded<T> | undefined {
    const { schemaId, body } = unframe(bytes);
    const writer = this.writers.get(schemaId);
    return writer && this.decodeAs<T>(writer, schemaId, body, readerRecordName);
  }

  private decodeAs<T>(writer: Type, schemaId: number, body: Buffer, readerRecordName?: string): Decoded<T> {
    const recordName = writer.name ?? '';
    const reader = readerOf(readerRecordName ?? recordName, schemaId);
    return { recordName, value: read<T>(reader, body, this.resolverOf(schemaId, writer, reader)), schemaId };
  }

  private resolverOf(schemaId: number, writer: Type, reader: Type): Resolver {
    const known = this.resolvers.get(reader)?.get(schemaId);
    if (known) return known;
    try {
      const resolver = reader.createResolver(writer);
      const ofReader = this.resolvers.get(reader) ?? new Map<number, Resolver>();
      this.resolvers.set(reader, ofReader.set(schemaId, resolver));
      return resolver;
    } catch (error) {
      throw new InvalidAvro(`schema id ${schemaId} (${writer.name}) cannot be read as ${reader.name}`, error);
    }
  }

  private askForId(subject: string, recordName: string): Promise<number> {
    return this.once(subject, async () => {
      const id = await this.lookup.idOf(subject, schemaOf(recordName));
      this.ids.set(subject, id);
      this.logger.debug({ subject, id }, 'schema.id-learnt');
      return id;
    });
  }

  private askForType(schemaId: number): Promise<Type> {
    return this.once(`id ${schemaId}`, async () => {
      const type = await this.lookup.typeOf(schemaId);
      this.writers.set(schemaId, type);
      return type;
    });
  }

  /** One question at a time about one thing, and for a while none after a "no". */
  private async once<T>(what: string, ask: () => Promise<T>): Promise<T> {
    const refused = this.notFound.get(what);
    if (refused && refused.untilMs > this.clock.now()) throw refused.error;
    const running = this.asking.get(what) as Promise<T> | undefined;
    if (running) return running;
    const question = ask();
    this.asking.set(what, question);
    try {
      return await question;
    } catch (error) {
      if (error instanceof SchemaNotFound) {
        this.notFound.set(what, { error, untilMs: this.clock.now() + notFoundForMs });
      }
      throw error;
    } finally {
      this.asking.delete(what);
    }
  }
}

export const subjectOf = (topic: TopicDefinition | string, recordName: string): string =>
  `${typeof topic === 'string' ? topic : topic.name}-${recordName}`;

function schemaOf(recordName: string): object {
  if (!isRecordName(recordName)) throw new SchemaNotFound(`${recordName} of this release`);
  return latestSchema(recordName);
}

function framed(id: number, recordName: string, value: object): Buffer {
  if (!isRecordName(recordName)) throw new SchemaNotFound(`${recordName} of this release`);
  const type = avroType(recordName);
  try {
    return frame(id, type, value);
  } catch (error) {
    throw new InvalidRecordValue(recordName, invalidPaths(type, value), error);
  }
}

function invalidPaths(type: Type, value: object): string[] {
  const paths: string[] = [];
  type.isValid(value, { errorHook: (path) => void paths.push(path.join('.')) });
  return paths;
}

function readerOf(recordName: string, schemaId: number): Type {
  if (isRecordName(recordName)) return avroType(recordName);
  throw new InvalidAvro(
    `schema id ${schemaId} is of ${recordName || 'an unnamed type'}, which this release does not know`,
  );
}

function read<T>(reader: Type, body: Buffer, resolver: Resolver): T {
  try {
    // Refuses bytes after the end as well as too few.
    return reader.fromBuffer(body, resolver) as T;
  } catch (error) {
    throw new InvalidAvro(error instanceof Error ? error.message : String(error), error);
  }
}
