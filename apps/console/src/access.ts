import { type TopicAccess, topics } from '@tributary/contracts';
import { topicChains } from '@tributary/operations/watch';

const chains = topicChains();
const consumed = chains.filter(({ main }) => main.name !== topics.audit.name).map(({ main }) => main);
const ends = chains.flatMap(({ retry, deadLetter }) => (retry ? [retry, deadLetter] : [deadLetter]));

/**
 * It proves and counts dead letters from outside: it asks where every topic and group stands, and reads what waits or died. Only keys and
 * headers are looked at, but Kafka has no right that is so narrow.
 */
export const consoleAccess: TopicAccess = {
  consumes: [],
  follows: [topics.apiKeys, topics.suspensions],
  writes: [topics.audit],
  inspects: {
    measures: [topics.audit],
    reads: [...new Map([...consumed, ...ends].map((topic) => [topic.name, topic])).values()],
    groups: [...new Set(chains.map(({ group }) => group))],
  },
};
