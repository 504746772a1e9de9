import type { DestinationDefinition } from '@tributary/connector-kit';

/** What this process is there for. */
export interface ConnectorScope {
  readonly destination: DestinationDefinition;
  readonly concurrency: number;
  /** Long waits go to the retry topic instead of memory. */
  readonly orderedRetries: boolean;
}
export const SCOPE = Symbol('connector scope');
