import { catalogue, type TopicDefinition } from '@tributary/contracts';
import { destinationSlugs, sourceSlugs } from './generated/slugs.js';

export { destinationSlugs, sourceSlugs };

/** Every topic of this build. Knows names only: a service that needs no definition does not load them. */
export const allTopics = (): readonly TopicDefinition[] =>
  catalogue({ sources: sourceSlugs, destinations: destinationSlugs });
