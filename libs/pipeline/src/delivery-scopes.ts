import { type DestinationDefinition, limitedPart, type Mapping } from '@tributary/connector-kit';
import { deliveryHeaders, type Subscription } from '@tributary/contracts';
import type { ConnectionLookup } from '@tributary/control';
import { type IncomingRecord, scopeWithin } from '@tributary/kafka';

export interface DeliveryScopesPorts {
  readonly destination: DestinationDefinition;
  readonly find: (connectionId: string) => ConnectionLookup<DestinationDefinition>;
  readonly subscriptionOf: (id: string) => Subscription | undefined;
}

/**
 * Which deliveries share a limit of the vendor: from headers, key and the control tables alone, because what is parked must be
 * known without its value. A subscription whose mapping takes the resource from the event is known by its connection only.
 */
export class DeliveryScopes {
  private readonly mappings = new WeakMap<Subscription, Mapping | undefined>();

  constructor(private readonly ports: DeliveryScopesPorts) {}

  scopeOf({ headers, key }: IncomingRecord): string {
    const connectionId = headers[deliveryHeaders.connectionId] ?? '';
    const found = this.ports.find(connectionId);
    const subscription = this.ports.subscriptionOf(headers[deliveryHeaders.subscriptionId] ?? '');
    // Nothing will be sent, or nobody knows where to.
    if (found.kind !== 'usable' || !subscription) return connectionId;
    const part = limitedPart(this.ports.destination, {
      operation: headers[deliveryHeaders.operation] ?? '',
      settings: found.connection.settings,
      mapping: this.mappingOf(subscription),
      key: key?.toString('utf8') ?? '',
    });
    return part === undefined ? connectionId : scopeWithin(connectionId, part);
  }

  private mappingOf(subscription: Subscription): Mapping | undefined {
    if (subscription.mapping === null) return undefined;
    if (!this.mappings.has(subscription)) this.mappings.set(subscription, JSON.parse(subscription.mapping) as Mapping);
    return this.mappings.get(subscription);
  }
}
