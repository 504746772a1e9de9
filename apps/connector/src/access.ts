import { deadLetterTopicOf, retryTopicOf, type TopicAccess, topicFamilies, topics } from '@tributary/contracts';

/** Each destination has a connector, a group and rights of its own. */
export function connectorAccess(destination: string) {
  const delivery = topicFamilies.delivery(destination);
  const retry = retryTopicOf(delivery);
  return {
    group: `connector-${destination}`,
    consumes: [delivery, retry],
    follows: [topics.connections, topics.subscriptions, topics.suspensions],
    writes: [retry, deadLetterTopicOf(delivery), topics.suspensions, topics.operations, topics.audit],
  } satisfies TopicAccess;
}
