import { type FactRow, type LedgerKeys, nameOf, type SubjectRecords, subjectIndexOf } from '@tributary/persistence';
import type { Person } from './dead-letter-filter.js';

export interface PersonRecordsPorts {
  readonly keys: Pick<LedgerKeys, 'indexOf'>;
  readonly subjects: Pick<SubjectRecords, 'events'>;
}

/** What stands for each of the person's events, by its hex: some were told of before it was known whose they are. */
export async function eventIndexes(
  { keys, subjects }: PersonRecordsPorts,
  { tenant, subject }: Person,
): Promise<Map<string, Buffer>> {
  const indexes = new Map<string, Buffer>();
  for await (const event of subjects.events(subjectIndexOf(keys, tenant, subject))) {
    const index = keys.indexOf(tenant, nameOf({ kind: 'event', ...event }));
    indexes.set(index.toString('hex'), index);
  }
  return indexes;
}

/** Everything that the ledger has of a person: what was told of the person, oldest first, then what was told of the events alone. */
export async function* personFacts(
  ports: PersonRecordsPorts & { readonly subjects: Pick<SubjectRecords, 'facts'> },
  person: Person,
): AsyncGenerator<FactRow, void> {
  yield* ports.subjects.facts(subjectIndexOf(ports.keys, person.tenant, person.subject));
  for (const index of (await eventIndexes(ports, person)).values()) yield* ports.subjects.facts(index);
}
