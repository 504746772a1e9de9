import {
  deadLetterTopicOf,
  domains,
  retryTopicOf,
  type TopicAccess,
  topicFamilies,
  topics,
} from '@tributary/contracts';
import { sourceSlugs } from '@tributary/registry/topics';

export const rawTopics = sourceSlugs.map(topicFamilies.raw);

export const normalizerAccess = {
  group: 'normalizer',
  consumes: rawTopics.flatMap((topic) => [topic, retryTopicOf(topic)]),
  follows: [topics.connections],
  writes: [...domains.map(topicFamilies.events), ...rawTopics.map((topic) => deadLetterTopicOf(topic)), topics.audit],
} satisfies TopicAccess;
