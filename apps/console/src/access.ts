import { type TopicAccess, topics } from '@tributary/contracts';

export const consoleAccess: TopicAccess = { consumes: [], follows: [topics.apiKeys], writes: [topics.audit] };
