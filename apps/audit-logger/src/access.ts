import { deadLetterTopicOf, type TopicAccess, topics } from '@tributary/contracts';

export const auditLoggerAccess = {
  group: 'audit-logger',
  consumes: [topics.audit],
  follows: [topics.auditCheckpoints],
  writes: [topics.auditCheckpoints, deadLetterTopicOf(topics.audit)],
} satisfies TopicAccess;
