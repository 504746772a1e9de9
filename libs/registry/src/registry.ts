import type { DestinationDefinition, SourceDefinition } from '@tributary/connector-kit';
import { catalogue, type TopicDefinition } from '@tributary/contracts';

/** All sources and destinations of this build, by slug. */
export interface Registry {
  readonly sources: ReadonlyMap<string, SourceDefinition>;
  readonly destinations: ReadonlyMap<string, DestinationDefinition>;
}

/** @throws Error when two definitions share a slug: they would share topics. */
export function registryOf(
  sources: readonly SourceDefinition[],
  destinations: readonly DestinationDefinition[],
): Registry {
  return { sources: bySlug('sources', sources), destinations: bySlug('destinations', destinations) };
}

/** @throws Error when two share a slug. */
export function bySlug<D extends { readonly slug: string }>(
  kind: string,
  definitions: readonly D[],
): ReadonlyMap<string, D> {
  const found = new Map<string, D>();
  for (const definition of definitions) {
    if (found.has(definition.slug)) throw new Error(`two ${kind} have the slug ${definition.slug}: rename one`);
    found.set(definition.slug, definition);
  }
  return found;
}

/** Every topic of a deployment with these sources and destinations. */
export function topicsOf(registry: Registry): readonly TopicDefinition[] {
  return catalogue({ sources: [...registry.sources.keys()], destinations: [...registry.destinations.keys()] });
}
