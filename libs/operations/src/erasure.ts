import { originHeaders } from '@tributary/contracts';
import { operatedRecord } from '@tributary/domain';
import {
  type DataKeys,
  type LedgerKeys,
  type LegalHolds,
  type RecordPlace,
  type SubjectCounts,
  type SubjectRecords,
  subjectIndexOf,
} from '@tributary/persistence';
import type { AuditTrail } from '@tributary/pipeline';
import type { DeadLetter } from './dead-letter.js';
import type { Person } from './dead-letter-filter.js';
import type { Act, DeadLetters } from './dead-letters.js';
import { eventIndexes } from './person-records.js';

export interface ErasurePorts {
  readonly keys: Pick<LedgerKeys, 'indexOf'>;
  readonly dataKeys: Pick<DataKeys, 'count' | 'erase' | 'eraseExisting'>;
  readonly subjects: Pick<SubjectRecords, 'count' | 'events' | 'indexesOf' | 'forgetReceipts'>;
  readonly holds: Pick<LegalHolds, 'on'>;
  /** Dead letters of the person, in whatever state. */
  readonly lettersOf: (person: Person) => Promise<AsyncIterable<DeadLetter>>;
  readonly letters: Pick<DeadLetters, 'discard'>;
  readonly audit: Pick<AuditTrail, 'write'>;
  readonly nowMs: () => number;
}

export interface ErasurePlan extends SubjectCounts {
  /** What stands for the person in the ledger, in hex. */
  readonly subjectIndex: string;
  readonly keys: number;
  /** Erased before. */
  readonly erasedKeys: number;
  readonly openDeadLetters: number;
}

export interface ErasureReport {
  readonly subjectIndex: string;
  readonly keysErased: number;
  readonly deadLettersDiscarded: number;
  readonly receiptsForgotten: number;
}

/** The person must be kept. */
export class UnderLegalHold extends Error {
  override readonly name = 'UnderLegalHold';
}

const eventsAtOnce = 500;

/** Forgets a person: what only the person's key can read stays in the ledger, and cannot be read any more. */
export class Erasure {
  constructor(private readonly ports: ErasurePorts) {}

  /** What would be done. @throws UnderLegalHold */
  async plan(person: Person): Promise<ErasurePlan> {
    const index = await this.allowedIndex(person);
    let openDeadLetters = 0;
    for await (const { state } of await this.ports.lettersOf(person)) if (state === 'open') openDeadLetters += 1;
    const { held, erased } = await this.ports.dataKeys.count(index);
    const counts = await this.ports.subjects.count(index);
    return { subjectIndex: index.toString('hex'), ...counts, keys: held, erasedKeys: erased, openDeadLetters };
  }

  /** May be run again when it failed half-way: what is done is not done twice. @throws UnderLegalHold */
  async run(person: Person, act: Act): Promise<ErasureReport> {
    const index = await this.allowedIndex(person);
    const { places, discarded } = await this.discardLetters(person, act);
    const others = await this.otherIndexes(person, index, places);
    const receiptsForgotten = await this.ports.subjects.forgetReceipts(index);
    // The key last: without it, nobody could find again what else is the person's.
    const more = await this.ports.dataKeys.eraseExisting(others);
    const own = await this.ports.dataKeys.erase(person.tenant, index);
    const report = {
      subjectIndex: index.toString('hex'),
      keysErased: own + more,
      deadLettersDiscarded: discarded,
      receiptsForgotten,
    };
    await this.tell(person, act, report);
    return report;
  }

  private async allowedIndex(person: Person): Promise<Buffer> {
    const index = subjectIndexOf(this.ports.keys, person.tenant, person.subject);
    const hold = await this.ports.holds.on(person.tenant, index);
    if (!hold) return index;
    const what = hold.subjectIndex ? 'the subject' : `the tenant ${hold.tenant}`;
    throw new UnderLegalHold(
      `${what} is under the legal hold ${hold.id}, placed by ${hold.placedBy} (${hold.reason}); nothing was erased`,
    );
  }

  private async discardLetters(person: Person, act: Act): Promise<{ places: RecordPlace[]; discarded: number }> {
    const places: RecordPlace[] = [];
    let discarded = 0;
    for await (const letter of await this.ports.lettersOf(person)) {
      const { headers } = letter.record;
      const topic = headers[originHeaders.topic];
      if (topic !== undefined) {
        const [partition, offset] = [Number(headers[originHeaders.partition]), Number(headers[originHeaders.offset])];
        places.push({ topic, partition, offset });
      }
      if (letter.state !== 'open') continue;
      await this.ports.letters.discard(letter, act);
      discarded += 1;
    }
    return { places, discarded };
  }

  /** What was told of the person's events before it was known whose they are. */
  private async otherIndexes(person: Person, index: Buffer, places: readonly RecordPlace[]): Promise<Buffer[]> {
    const others = await eventIndexes(this.ports, person);
    for (let at = 0; at < places.length; at += eventsAtOnce) {
      for (const one of await this.ports.subjects.indexesOf(places.slice(at, at + eventsAtOnce)))
        others.set(one.toString('hex'), one);
    }
    others.delete(index.toString('hex'));
    return [...others.values()];
  }

  private async tell({ tenant }: Person, act: Act, report: ErasureReport): Promise<void> {
    await this.ports.audit.write(
      operatedRecord({
        action: 'erased',
        entity: `subject:${report.subjectIndex}`,
        tenant,
        reason: act.reason,
        actor: act.actor,
        occurredAtMs: this.ports.nowMs(),
        identity: act.id,
        details: {
          keysErased: String(report.keysErased),
          deadLettersDiscarded: String(report.deadLettersDiscarded),
          receiptsForgotten: String(report.receiptsForgotten),
        },
      }),
    );
  }
}
