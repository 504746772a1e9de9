import { createSecretKey } from 'node:crypto';
import { type DataKey, type DataKeyRef, type NamedSubject, readingId } from '../personal/data-keys.js';
import { LedgerKeys } from '../personal/ledger-keys.js';

/** A key for everybody, for tests that are not about keys. */
export function oneDataKey() {
  const keys = LedgerKeys.parse(LedgerKeys.generate('spec'));
  const key = createSecretKey(Buffer.alloc(32, 7));
  return {
    keys,
    forWriting: async (subjects: readonly NamedSubject[]): Promise<DataKey[]> =>
      subjects.map(({ tenant, name }) => ({
        index: keys.indexOf(tenant, name),
        generation: 1,
        key,
        erasedUntilMs: Number.NEGATIVE_INFINITY,
      })),
    forReading: async (refs: readonly DataKeyRef[]) => new Map(refs.map((ref) => [readingId(ref), key])),
  };
}
