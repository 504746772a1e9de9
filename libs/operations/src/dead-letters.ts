import type { IncomingRecord, OffsetRange, OutgoingRecord } from '@tributary/kafka';
import type { DeadLetterAct, DeadLetterActKind, DeadLetterActs } from '@tributary/persistence';
import { type DeadLetter, idOf, NotADeadLetter, parseId, stateOf } from './dead-letter.js';
import { type DeadLetterFilter, matches } from './dead-letter-filter.js';
import type { AuditRecordFacts } from './facts.js';
import { type Correction, redrivenRecord } from './redriven-record.js';

export interface DeadLetterPorts {
  /** What the topic holds now, from the first record of that time on; in the order of partitions. Empty: there is no such topic. */
  readonly ranges: (topic: string, fromMs?: number) => Promise<OffsetRange[]>;
  readonly read: (ranges: readonly OffsetRange[]) => AsyncIterable<IncomingRecord>;
  readonly acts: Pick<DeadLetterActs, 'claim' | 'finish' | 'giveUp' | 'of'>;
  readonly send: (record: OutgoingRecord) => Promise<unknown>;
  readonly audit: (facts: AuditRecordFacts) => Promise<void>;
  readonly nowMs: () => number;
}

/** Who acts and why. */
export interface Act {
  readonly actor: string;
  readonly reason: string;
  /** Redrives of one command share it. */
  readonly id: string;
}

/** States are asked for so many records at once, or so many bytes. */
const batchRecords = 200;
const batchBytes = 4 * 1024 * 1024;

/** Dead-letter topics as operators see and treat them. Every act is claimed first, so nothing is done twice, and audited. */
export class DeadLetters {
  constructor(private readonly ports: DeadLetterPorts) {}

  /** By topic, partition and offset, which keeps the order of each key; in memory that does not grow with the topics. */
  async *find(topics: readonly string[], filter: DeadLetterFilter = {}): AsyncGenerator<DeadLetter, void> {
    const ranges: OffsetRange[] = [];
    for (const topic of topics) ranges.push(...(await this.ports.ranges(topic, filter.fromMs)));
    let batch: IncomingRecord[] = [];
    let bytes = 0;
    for await (const record of this.ports.read(ranges)) {
      if (!matches(record, filter)) continue;
      batch.push(record);
      bytes += record.value?.length ?? 0;
      if (batch.length < batchRecords && bytes < batchBytes) continue;
      yield* this.withStates(batch, filter);
      batch = [];
      bytes = 0;
    }
    yield* this.withStates(batch, filter);
  }

  /** @throws NotADeadLetter when one is not there. */
  async *named(ids: readonly string[]): AsyncGenerator<DeadLetter, void> {
    const places = ids.map(parseId);
    const held = new Map<string, OffsetRange[]>();
    for (const topic of new Set(places.map((place) => place.topic))) held.set(topic, await this.ports.ranges(topic));
    for (const [i, { topic, partition, offset }] of places.entries()) {
      const range = held.get(topic)?.find((one) => one.partition === partition);
      if (!range || offset < range.from || offset >= range.to) throw absent(ids[i] ?? '', range);
    }
    const wanted = places.map(({ topic, partition, offset }) => ({ topic, partition, from: offset, to: offset + 1 }));
    let batch: IncomingRecord[] = [];
    for await (const record of this.ports.read(wanted)) {
      batch.push(record);
      if (batch.length < batchRecords) continue;
      yield* this.withStates(batch, {});
      batch = [];
    }
    yield* this.withStates(batch, {});
  }

  /** @throws NotADeadLetter when it is not there. */
  async show(id: string): Promise<DeadLetter> {
    for await (const letter of this.named([id])) return letter;
    throw absent(id, undefined);
  }

  /**
   * Sends a dead letter through its group's own chain again, as it was or corrected.
   * @returns the id of the redrive: that of an earlier try, if one was left unfinished.
   * @throws NotADeadLetter when it was redriven or discarded before, by whomever.
   */
  async redrive(letter: DeadLetter, act: Act, correction?: Correction): Promise<string> {
    const redriveId = await this.claim(letter, 'redriven', act);
    const record = redrivenRecord(letter, redriveId, this.ports.nowMs(), correction);
    try {
      await this.ports.send(record);
    } catch (error) {
      // Only what certainly did not arrive may be sent under another id.
      if ((error as { sent?: boolean }).sent === false) await this.ports.acts.giveUp(letter.id, redriveId);
      throw error;
    }
    await this.close(
      letter,
      'redriven',
      { ...act, id: redriveId },
      correction && { before: letter.record, after: record },
    );
    return redriveId;
  }

  /** @throws NotADeadLetter when it was redriven or discarded before, by whomever. */
  async discard(letter: DeadLetter, act: Act): Promise<void> {
    const id = await this.claim(letter, 'discarded', act);
    await this.close(letter, 'discarded', { ...act, id });
  }

  private async *withStates(
    records: readonly IncomingRecord[],
    { state }: Pick<DeadLetterFilter, 'state'>,
  ): AsyncGenerator<DeadLetter, void> {
    if (records.length === 0) return;
    const acts = await this.ports.acts.of(records.map(idOf));
    for (const record of records) {
      const id = idOf(record);
      const act = acts.get(id);
      if (state === undefined || stateOf(act) === state) yield { id, record, act, state: stateOf(act) };
    }
  }

  private async claim({ id }: DeadLetter, act: DeadLetterActKind, { actor, reason, id: actId }: Act): Promise<string> {
    const claim = await this.ports.acts.claim({ deadLetter: id, act, actId, actor, reason });
    if (!claim.isOurs) throw new NotADeadLetter(`${id} is ${takenBy(claim.by)}`);
    return claim.actId;
  }

  private async close(
    letter: DeadLetter,
    action: DeadLetterActKind,
    { actor, reason, id }: Act,
    correction?: AuditRecordFacts['correction'],
  ): Promise<void> {
    await this.ports.audit({ action, letter, actor, reason, identity: id, ...(correction && { correction }) });
    await this.ports.acts.finish(letter.id, id);
  }
}

function takenBy({ act, actor, reason, begunAt, doneAt }: DeadLetterAct): string {
  const since = begunAt.toISOString();
  if (doneAt) return `${act} already, by ${actor} at ${since} (${reason})`;
  return `being ${act} by ${actor} since ${since}; if that stopped half-way, the same can be done again after a minute`;
}

function absent(id: string, range: OffsetRange | undefined): NotADeadLetter {
  const holds = range ? `; that partition holds offsets ${range.from} to ${range.to - 1}` : '';
  return new NotADeadLetter(`${id} is not there${holds}; tributary dlt list shows what is`);
}
