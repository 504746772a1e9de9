import {
  deadLetterTopicOf,
  domains,
  retryTopicOf,
  type TopicAccess,
  topicFamilies,
  topics,
} from '@tributary/contracts';
import { destinationSlugs } from '@tributary/registry/topics';

const group = 'router';
export const eventTopics = domains.map(topicFamilies.events);

export const routerAccess = {
  group,
  consumes: eventTopics.flatMap((topic) => [topic, retryTopicOf(topic, group)]),
  follows: [topics.connections, topics.subscriptions],
  writes: [
    ...destinationSlugs.map(topicFamilies.delivery),
    ...eventTopics.map((topic) => deadLetterTopicOf(topic, group)),
    topics.audit,
  ],
} satisfies TopicAccess;
