import { destinations } from './generated/destinations.js';
import { sources } from './generated/sources.js';
import { registryOf } from './registry.js';

export { renderIntegrationsTable } from './integrations-table.js';
export { type Registry, registryOf, topicsOf } from './registry.js';

/** Every source and destination of this build. */
export const registry = registryOf(sources, destinations);
