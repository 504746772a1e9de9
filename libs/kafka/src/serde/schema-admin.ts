import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { isRecordName, schemas, type TopicDefinition } from '@tributary/contracts';
import { subjectOf } from './avro-serde.js';
import { RegistryLookup, type RegistryOptions, registryConnection } from './registry-lookup.js';
import { SchemaNotFound } from './serde-errors.js';

/** One version of one subject that the registry should have. */
export interface SchemaStep {
  readonly subject: string;
  /** Version in this repository, from 1. */
  readonly version: number;
  readonly schema: object;
  readonly isRegistered: boolean;
}

const atOnce = 6;

/** Registers schemas: the pipeline's act, never a service's. Never deletes. */
export class SchemaAdmin {
  private readonly lookup: RegistryLookup;
  private readonly registry: SchemaRegistry;

  constructor(options: RegistryOptions) {
    this.lookup = new RegistryLookup(options);
    this.registry = new SchemaRegistry(registryConnection(options));
  }

  /** Every committed version of every record that is encoded for these topics, and whether the registry has it. */
  async plan(topics: readonly TopicDefinition[]): Promise<SchemaStep[]> {
    const wanted = topics.flatMap((topic) =>
      topic.records
        .filter(isRecordName)
        .flatMap((record) =>
          schemas[record].map((schema, index) => ({ subject: subjectOf(topic, record), version: index + 1, schema })),
        ),
    );
    return inGroups(wanted, async (step) => ({
      ...step,
      isRegistered: await this.isRegistered(step.subject, step.schema),
    }));
  }

  /** Registers what is missing, versions of a subject in order, under FULL_TRANSITIVE. */
  async apply(steps: readonly SchemaStep[]): Promise<void> {
    const missing = steps.filter((step) => !step.isRegistered);
    const subjects = [...new Set(missing.map((step) => step.subject))];
    await inGroups(subjects, async (subject) => {
      for (const step of missing.filter((one) => one.subject === subject)) await this.register(step);
    });
  }

  private async isRegistered(subject: string, schema: object): Promise<boolean> {
    try {
      await this.lookup.idOf(subject, schema);
      return true;
    } catch (error) {
      if (error instanceof SchemaNotFound) return false;
      throw error;
    }
  }

  private async register({ subject, schema }: SchemaStep): Promise<void> {
    await this.registry.register(
      { type: SchemaType.AVRO, schema: JSON.stringify(schema) },
      { subject, compatibility: COMPATIBILITY.FULL_TRANSITIVE },
    );
  }
}

async function inGroups<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += atOnce) {
    results.push(...(await Promise.all(items.slice(at, at + atOnce).map(act))));
  }
  return results;
}
