import { sources } from './generated/sources.js';
import { bySlug } from './registry.js';

/** Every source of this build, by slug. */
export const sourceDefinitions = bySlug('sources', sources);
