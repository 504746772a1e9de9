import type { IncomingRecord, OffsetRange, OutgoingRecord } from '@tributary/kafka';
import type { DeadLetterAct, DeadLetterActKind, DeadLetterActs } from '@tributary/persistence';
import { type DeadLetter, type DeadLetterPlace, idOf, NotADeadLetter, parseId, stateOf } from './dead-letter.js';
import { type DeadLetterFilter, matches } from './dead-letter-filter.js';
import type { AuditRecordFacts } from './facts.js';
import { heldLetters } from './held-letters.js';
import { type Correction, redrivenRecord, releaseRecord } from './redriven-record.js';

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

  /**
   * By topic, partition and offset, which keeps the order of each key; in memory that does not grow with the topics. Those that
   * retention deleted although they hold their keys come first, of all topics.
   */
  async *find(topics: readonly string[], filter: DeadLetterFilter = {}): AsyncGenerator<DeadLetter, void> {
    const ranges: OffsetRange[] = [];
    for (const topic of topics) {
      const gone = (await heldLetters(topic, this.ports)).filter((record) => matches(record, filter));
      for (const part of partsOf(gone, batchRecords)) yield* this.withStates(part, filter);
    }
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
    const gone = new Map<string, IncomingRecord>();
    const held = new Map<string, OffsetRange[]>();
    const knownTopics = new Set<string>();
    for (const topic of new Set(places.map((place) => place.topic))) held.set(topic, await this.ports.ranges(topic));
    for (const [i, { topic, partition, offset }] of places.entries()) {
      const range = held.get(topic)?.find((one) => one.partition === partition);
      if (range && offset >= range.from && offset < range.to) continue;
      if (!knownTopics.has(topic)) for (const one of await heldLetters(topic, this.ports)) gone.set(idOf(one), one);
      knownTopics.add(topic);
      if (!gone.has(ids[i] ?? '')) throw absent(ids[i] ?? '', range);
    }
    const isGone = ({ topic, partition, offset }: DeadLetterPlace) => gone.has(`${topic}/${partition}/${offset}`);
    const wanted = places
      .filter((place) => !isGone(place))
      .map(({ topic, partition, offset }) => ({ topic, partition, from: offset, to: offset + 1 }));
    yield* this.withStates(
      [...gone.values()].filter((record) => ids.includes(idOf(record))),
      {},
    );
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
    await this.sendClaimed(letter, redriveId, record);
    await this.close(
      letter,
      'redriven',
      { ...act, id: redriveId },
      correction && { before: letter.record, after: record },
    );
    return redriveId;
  }

  /**
   * Gives a dead letter up. If it holds its key, that goes on.
   * @throws NotADeadLetter when it was redriven or discarded before, by whomever.
   */
  async discard(letter: DeadLetter, act: Act): Promise<void> {
    const release = releaseRecord(letter, this.ports.nowMs());
    const id = await this.claim(letter, 'discarded', act);
    if (release) await this.sendClaimed(letter, id, release);
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

  private async sendClaimed({ id }: DeadLetter, actId: string, record: OutgoingRecord): Promise<void> {
    try {
      await this.ports.send(record);
    } catch (error) {
      // Only what certainly did not arrive may be sent under another id.
      if ((error as { sent?: boolean }).sent === false) await this.ports.acts.giveUp(id, actId);
      throw error;
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

function* partsOf<T>(all: readonly T[], size: number): Generator<T[]> {
  for (let i = 0; i < all.length; i += size) yield all.slice(i, i + size);
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
