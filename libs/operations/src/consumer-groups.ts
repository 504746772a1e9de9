import {
  deadLetterTopicOf,
  domains,
  retryTopicOf,
  type TopicDefinition,
  topicFamilies,
  topics,
} from '@tributary/contracts';
import { destinationSlugs, sourceSlugs } from '@tributary/registry/topics';

export type ConsumingStage = 'normalizer' | 'router' | 'connector' | 'audit-logger';

/** One topic that a group consumes, and where its records go when they must wait or die. */
export interface TopicChain {
  readonly group: string;
  readonly stage: ConsumingStage;
  readonly main: TopicDefinition;
  /** Undefined: the group has none, so nothing can be sent through it again. */
  readonly retry: TopicDefinition | undefined;
  readonly deadLetter: TopicDefinition;
}

/** Every chain of a deployment of this build. */
export function topicChains(): TopicChain[] {
  const raw = sourceSlugs.map((slug) => chainOf('normalizer', 'normalizer', topicFamilies.raw(slug)));
  const events = domains.map((domain) => chainOf('router', 'router', topicFamilies.events(domain), 'router'));
  const delivery = destinationSlugs.map((slug) =>
    chainOf(`connector-${slug}`, 'connector', topicFamilies.delivery(slug)),
  );
  const audit: TopicChain = {
    group: 'audit-logger',
    stage: 'audit-logger',
    main: topics.audit,
    retry: undefined,
    deadLetter: deadLetterTopicOf(topics.audit),
  };
  return [...raw, ...events, ...delivery, audit];
}

/** Consumer groups of a deployment. */
export const consumerGroups = (): string[] => [...new Set(topicChains().map(({ group }) => group))];

/** Topics that a group consumes; empty when there is no such group. */
export const topicsOfGroup = (group: string): string[] =>
  topicChains()
    .filter((chain) => chain.group === group)
    .flatMap(({ main, retry }) => (retry ? [main.name, retry.name] : [main.name]));

/** The chain that ends in this dead-letter topic. */
export const chainEndingIn = (deadLetterTopic: string): TopicChain | undefined =>
  topicChains().find(({ deadLetter }) => deadLetter.name === deadLetterTopic);

function chainOf(group: string, stage: ConsumingStage, main: TopicDefinition, infix?: string): TopicChain {
  return { group, stage, main, retry: retryTopicOf(main, infix), deadLetter: deadLetterTopicOf(main, infix) };
}
