/** Apart from the other operations: what a service looks at regularly, for its metrics. */
export { consumerGroups, topicChains, topicsOfGroup } from '../consumer-groups.js';
export * from './dead-letter-watch.js';
export * from './lag-watch.js';
export * from './proof-of.js';
export * from './proof-watch.js';
export { type Rounds, startRounds } from './rounds.js';
