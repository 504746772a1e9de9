import type { DestinationDefinition } from '@tributary/connector-kit';
import type { ConnectionGates, DeliveryScopes } from '@tributary/pipeline';

/** What this process is there for. */
export interface ConnectorScope {
  readonly destination: DestinationDefinition;
  readonly concurrency: number;
  readonly scopes: DeliveryScopes;
  readonly gates: ConnectionGates;
  /** Long waits go to the retry topic instead of memory. */
  readonly orderedRetries: boolean;
}
export const SCOPE = Symbol('connector scope');
