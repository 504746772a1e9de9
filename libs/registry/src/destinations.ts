import { destinations } from './generated/destinations.js';
import { bySlug } from './registry.js';

/** Every destination of this build, by slug. */
export const destinationDefinitions = bySlug('destinations', destinations);
