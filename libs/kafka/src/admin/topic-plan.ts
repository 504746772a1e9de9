import type { TopicDefinition } from '@tributary/contracts';

/** A topic as the cluster has it. */
export interface TopicState {
  readonly name: string;
  readonly partitions: number;
  readonly replication: number;
  /** Effective configuration: the topic's own or the broker's default. */
  readonly configs: Readonly<Record<string, string>>;
}

export interface TopicToCreate {
  readonly topic: TopicDefinition;
  readonly partitions: number;
  readonly replication: number;
  readonly configs: Readonly<Record<string, string>>;
}

/** Something that differs from the catalogue. Reported, never changed by us. */
export interface TopicDifference {
  readonly topic: string;
  /** `partitions`, `replication` or the name of a configuration. */
  readonly what: string;
  readonly wanted: string;
  readonly found: string;
}

export interface TopicPlan {
  readonly create: readonly TopicToCreate[];
  readonly differences: readonly TopicDifference[];
}

export interface TopicPlanOptions {
  /** For new topics, instead of the catalogue's number; single-partition topics keep theirs. */
  readonly partitions?: number;
  /** Default 1. */
  readonly replication?: number;
}

const segmentMs = 24 * 60 * 60 * 1000;

/** Configuration of a topic by its definition. */
export function configsOf(topic: TopicDefinition, replication: number): Record<string, string> {
  return {
    'cleanup.policy': topic.cleanup,
    'min.insync.replicas': String(Math.max(1, replication - 1)),
    // Old records are deleted a segment at a time: with the default of a week a topic would outlive its retention by that much.
    'segment.ms': String(segmentMs),
    ...(topic.retentionMs !== undefined && { 'retention.ms': String(topic.retentionMs) }),
    ...(topic.maxMessageBytes !== undefined && { 'max.message.bytes': String(topic.maxMessageBytes) }),
  };
}

/** What to create, and what is not as the catalogue says. Nothing is ever deleted. */
export function planTopics(
  catalogue: readonly TopicDefinition[],
  found: ReadonlyMap<string, TopicState>,
  { partitions, replication = 1 }: TopicPlanOptions = {},
): TopicPlan {
  const create: TopicToCreate[] = [];
  const differences: TopicDifference[] = [];
  for (const topic of catalogue) {
    const wanted: TopicToCreate = {
      topic,
      partitions: topic.partitions === 1 ? 1 : (partitions ?? topic.partitions),
      replication,
      configs: configsOf(topic, replication),
    };
    const state = found.get(topic.name);
    if (state) differences.push(...differencesOf(wanted, state));
    else create.push(wanted);
  }
  return { create, differences };
}

function differencesOf(wanted: TopicToCreate, state: TopicState): TopicDifference[] {
  const pairs: [what: string, wanted: string, found: string][] = [
    ['partitions', String(wanted.partitions), String(state.partitions)],
    ['replication', String(wanted.replication), String(state.replication)],
    ...Object.entries(wanted.configs).map(([name, value]): [string, string, string] => [
      name,
      value,
      state.configs[name] ?? '',
    ]),
  ];
  return pairs
    .filter(([, want, have]) => want !== have)
    .map(([what, want, have]) => ({ topic: state.name, what, wanted: want, found: have }));
}
