import type { DestinationDefinition } from '@tributary/connector-kit';
import type { Failure, OnDead } from '@tributary/domain';
import type { ConnectionGates, DeliveryScopes } from '@tributary/pipeline';

/** What this process is there for. */
export interface ConnectorScope {
  readonly destination: DestinationDefinition;
  readonly concurrency: number;
  readonly scopes: DeliveryScopes;
  readonly gates: ConnectionGates;
  /** What a dead letter of a connection means for its key; without a failure, of those that hold already. */
  readonly onDead: (connectionId: string, failure?: Failure) => OnDead;
  /** Long waits go to the retry topic instead of memory. */
  readonly orderedRetries: boolean;
}
export const SCOPE = Symbol('connector scope');
