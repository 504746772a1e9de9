/** How a topic forgets: by age, or by keeping the last record of each key. */
export type Cleanup = 'delete' | 'compact';

/** One Kafka topic. Topic names are spelt in the catalogue and nowhere else. */
export interface TopicDefinition {
  readonly name: string;
  /** Full names of the Avro records it carries; more than one where order across types matters. Empty: any bytes. */
  readonly records: readonly string[];
  /** What stays in order: records with the same key do, nothing else is promised. */
  readonly key: string;
  /** The one app that writes it. */
  readonly owner: string;
  readonly partitions: number;
  readonly cleanup: Cleanup;
  /** Milliseconds; absent for compacted topics. */
  readonly retentionMs?: number;
  /** Largest record batch in bytes, where it differs from the broker's default. */
  readonly maxMessageBytes?: number;
  readonly purpose: string;
}

export type TopicOptions = Omit<TopicDefinition, 'cleanup' | 'partitions'> &
  Partial<Pick<TopicDefinition, 'cleanup' | 'partitions'>>;

const legalName = /^[a-z0-9]+(?:[.-][a-z0-9]+)*$/;

/**
 * Makes a topic definition with the defaults of the catalogue.
 * @throws Error when the name has anything but lower-case letters, digits, dots and hyphens.
 */
export function defineTopic(options: TopicOptions): TopicDefinition {
  if (!legalName.test(options.name) || options.name.length > 249) {
    throw new Error(`topic name ${JSON.stringify(options.name)} is not legal: dots separate, hyphens join, lower case`);
  }
  return Object.freeze({ cleanup: 'delete', partitions: defaultPartitions, ...options });
}

/** Enough to spread a stage over several instances; `topics apply --partitions` sets another number for a new cluster. */
export const defaultPartitions = 6;

export const days = (count: number): number => count * 24 * 60 * 60 * 1000;
