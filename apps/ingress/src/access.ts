import { type TopicAccess, topicFamilies, topics } from '@tributary/contracts';
import { sourceSlugs } from '@tributary/registry/topics';

export const ingressAccess: TopicAccess = {
  consumes: [],
  follows: [topics.connections, topics.apiKeys],
  writes: [...sourceSlugs.map(topicFamilies.raw), topics.audit],
};
