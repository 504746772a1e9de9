import type { TopicDefinition } from '@tributary/contracts';
import { type RegistryOptions, SchemaAdmin, type TopicAdmin } from '@tributary/kafka';
import { defaultKeysUrl, migrate, prepareKeyDatabase } from '@tributary/persistence';
import { allTopics } from '@tributary/registry/topics';

/** Topics that something is encoded for. Delivery, retry and dead-letter topics carry bytes that were encoded for another. */
export const encodedTopics = (): TopicDefinition[] =>
  allTopics().filter(({ name }) => !/^delivery\.|\.(retry|dlt)$/.test(name));

export interface Cluster {
  readonly admin: TopicAdmin;
  readonly registry: RegistryOptions;
  readonly databaseUrl: string;
  /** Of each topic that the catalogue gives more than one, instead of the catalogue's number. */
  readonly partitions?: number | undefined;
  /** Of the data keys; absent: beside the ledger's. */
  readonly keysDatabaseUrl?: string;
}

/** Topics, schemas and tables of this build, as far as they are missing: what a new cluster needs before its first start. */
export async function prepareCluster(cluster: Cluster): Promise<void> {
  const { admin, registry, databaseUrl, keysDatabaseUrl, partitions } = cluster;
  const schemas = new SchemaAdmin(registry);
  await Promise.all([
    admin.plan(allTopics(), partitions === undefined ? {} : { partitions }).then((plan) => admin.apply(plan)),
    schemas.plan(encodedTopics()).then((steps) => schemas.apply(steps)),
    migrate(databaseUrl),
    prepareKeyDatabase(keysDatabaseUrl ?? defaultKeysUrl(databaseUrl)),
  ]);
}
