import type { LedgerKeys } from './ledger-keys.js';
import { nameOf } from './personal-fields.js';

/** What stands in the ledger for a person: what `subject` is searched by. */
export const subjectIndexOf = (keys: Pick<LedgerKeys, 'indexOf'>, tenant: string, subject: string): Buffer =>
  keys.indexOf(tenant, nameOf({ kind: 'subject', subject }));
