import type { DestinationDefinition } from '@tributary/connector-kit';
import type { ConnectionLookup } from '@tributary/control';
import type { Failure, OnDead } from '@tributary/domain';

/** What a dead letter means for its key: by the connection's own row, else by the definition. */
export function onDeadFor(
  destination: DestinationDefinition,
  find: (connectionId: string) => ConnectionLookup<DestinationDefinition>,
): (connectionId: string, failure?: Failure) => OnDead {
  return (connectionId, failure) => {
    const found = find(connectionId);
    // Nobody can mend what has no connection or cannot be read, so nothing may wait for it.
    if (found.kind === 'unknown' || (failure && isBeyondMending(failure))) return 'continue';
    const own = found.kind === 'usable' ? found.connection.onDead : undefined;
    // While its secret is missing nobody knows what its row says: what is held stays held.
    if (found.kind === 'unusable' && !failure) return 'hold';
    return own ?? destination.onDead ?? 'continue';
  };
}

const isBeyondMending = ({ errorClass, stage }: Failure): boolean =>
  errorClass === 'connection-removed' || (errorClass === 'invalid' && stage === 'prepare');
