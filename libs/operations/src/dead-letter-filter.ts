import { deliveryHeaders, errorHeaders } from '@tributary/contracts';
import type { IncomingRecord } from '@tributary/kafka';
import type { DeadLetterState } from './dead-letter.js';

/** What is absent does not matter; what is given must all hold. */
export interface DeadLetterFilter {
  readonly connection?: string;
  readonly errorClass?: string;
  readonly fingerprint?: string;
  readonly key?: string;
  /** Died at or after. */
  readonly fromMs?: number;
  /** Died before. */
  readonly toMs?: number;
  readonly state?: DeadLetterState;
}

/** What the record alone can tell; the state is asked for afterwards. */
export function matches({ headers, key, timestampMs }: IncomingRecord, filter: DeadLetterFilter): boolean {
  return (
    isWanted(headers[deliveryHeaders.connectionId], filter.connection) &&
    isWanted(headers[errorHeaders.class], filter.errorClass) &&
    isWanted(headers[errorHeaders.fingerprint], filter.fingerprint) &&
    isWanted(key?.toString('utf8'), filter.key) &&
    (filter.fromMs === undefined || timestampMs >= filter.fromMs) &&
    (filter.toMs === undefined || timestampMs < filter.toMs)
  );
}

const isWanted = (found: string | undefined, wanted: string | undefined): boolean =>
  wanted === undefined || found === wanted;
