import type { TopicDefinition } from './topic.js';

/**
 * What one process opens in Kafka. The process is held to it when it runs, and its rights in a cluster that checks them are made from it,
 * so that neither can be forgotten.
 */
export interface TopicAccess {
  /** Consumer group, named like the Deployment; absent where nothing is consumed. */
  readonly group?: string;
  /** Read by the group, its retry topics included. */
  readonly consumes: readonly TopicDefinition[];
  /** Compacted topics of one partition that the process reads whole, in a group of its own that it throws away. */
  readonly follows: readonly TopicDefinition[];
  readonly writes: readonly TopicDefinition[];
  /** Looked into from outside, to say how things stand; absent: nothing is. */
  readonly inspects?: Inspection;
}

export interface Inspection {
  /** Their records are read, in a group that is thrown away. */
  readonly reads: readonly TopicDefinition[];
  /** Only where they begin and end is asked. */
  readonly measures: readonly TopicDefinition[];
  /** Consumer groups that are asked how far they are. */
  readonly groups: readonly string[];
}

/** Group ids of those who read a topic once begin so. */
export const readerGroupPrefix = (topic: Pick<TopicDefinition, 'name'>): string => `${topic.name}.read.`;

/** Group ids of those who follow a topic begin so. */
export const followerGroupPrefix = (topic: Pick<TopicDefinition, 'name'>): string => `${topic.name}.reader.`;
