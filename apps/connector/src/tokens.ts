import type { DestinationDefinition } from '@tributary/connector-kit';

/** What this process is there for. */
export interface ConnectorScope {
  readonly destination: DestinationDefinition;
  readonly concurrency: number;
}
export const SCOPE = Symbol('connector scope');
