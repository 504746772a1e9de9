import { type DestinationDefinition, rateOf } from '@tributary/connector-kit';
import type { ConnectionLimitsSpec, ConnectionLookup } from '@tributary/control';
import { defaultBreakerRules, type RateBudget } from '@tributary/domain';
import type { ConnectionLimits } from '@tributary/pipeline';

/** Attempts at the same time in this process: more than one connection may have, so that others always find a place. */
export const concurrencyOf = ({ limits }: DestinationDefinition, setting: number): number =>
  setting || limits.maxInFlight * 3;

/** What a connection may do: by its own row, else by the definition, and never all that the process may. */
export function limitsFor(
  destination: DestinationDefinition,
  concurrency: number,
  find: (connectionId: string) => ConnectionLookup<DestinationDefinition>,
): (connectionId: string, operation: string) => ConnectionLimits {
  const largestShare = Math.max(1, Math.floor(concurrency * 0.75));
  const breaker = { ...defaultBreakerRules, ...destination.limits.breaker };
  return (connectionId, operation) => {
    const found = find(connectionId);
    const own: ConnectionLimitsSpec = (found.kind === 'usable' && found.connection.limits) || {};
    return {
      maxInFlight: Math.min(own.maxInFlight ?? destination.limits.maxInFlight, largestShare),
      rate: ownRate(own) ?? rateOf(destination, operation),
      breaker,
    };
  };
}

const ownRate = ({ perSecond, burst }: ConnectionLimitsSpec): RateBudget | undefined =>
  perSecond === undefined ? undefined : { perSecond, burst: burst ?? Math.max(1, Math.floor(perSecond)) };
