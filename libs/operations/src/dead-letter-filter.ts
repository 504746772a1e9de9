import { cloudEventHeaders as ce, deliveryHeaders, errorHeaders } from '@tributary/contracts';
import { eventKey, rawKey } from '@tributary/domain';
import type { IncomingRecord } from '@tributary/kafka';
import type { DeadLetterState } from './dead-letter.js';

/** Whose events they are. */
export interface Person {
  readonly tenant: string;
  readonly subject: string;
}

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
  readonly person?: Person;
  readonly state?: DeadLetterState;
}

/** What the record alone can tell; the state is asked for afterwards. */
export function matches(record: IncomingRecord, filter: DeadLetterFilter): boolean {
  const { headers, key, timestampMs } = record;
  return (
    (filter.person === undefined || isAbout(record, filter.person)) &&
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

/** What died before its event was made tells whose it is by its key alone. */
function isAbout({ headers, key }: IncomingRecord, { tenant, subject }: Person): boolean {
  if (headers[ce.tenant] === tenant && headers[ce.subject] === subject) return true;
  const text = key?.toString('utf8') ?? '';
  if (text === eventKey(tenant, subject, '')) return true;
  const connection = text.split(':')[1] ?? '';
  return text === rawKey(tenant, connection, subject);
}
