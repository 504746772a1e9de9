import { type Clock, sleep } from '../../connection/clock.js';
import { errorFields, type Logger } from '../../connection/logger.js';
import type { RecordProducer } from '../../producer/record-producer.js';
import type { Entry } from '../owned-partition.js';
import type { RetryOptions } from '../runtime-options.js';
import { type ParkFacts, parkedRecordOf } from './parked-copy.js';
import type { PlantedBug } from './retry-rules.js';

export interface AppenderParts {
  readonly retries: RetryOptions;
  readonly producer: Pick<RecordProducer, 'send'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** False: the group may have given the partition away, so nothing may be sent for now. */
  readonly mayAct: () => boolean;
  readonly plantedBug?: PlantedBug;
}

const firstPauseMs = 500;
const longestPauseMs = 10_000;

/** Rule 9: appends until it is acknowledged; nothing else may happen to the record meanwhile. */
export class Appender {
  private inFlight = 0;
  private readonly abandoned = new WeakSet<Entry>();

  constructor(private readonly parts: AppenderParts) {}

  /** Appends without an acknowledgement. */
  get running(): number {
    return this.inFlight;
  }

  /** Only with the planted bug that gives up. */
  gaveUp(entry: Entry): boolean {
    return this.abandoned.has(entry);
  }

  /** @returns the offset in the retry topic; undefined when the partition was lost or the process stops first. */
  async append(entry: Entry, facts: ParkFacts): Promise<number | undefined> {
    const { owner, bytes } = entry;
    this.abandoned.delete(entry);
    this.inFlight += 1;
    owner.appending += 1;
    owner.appendingBytes += bytes;
    try {
      return await this.untilAcknowledged(entry, facts);
    } finally {
      this.inFlight -= 1;
      owner.appending -= 1;
      owner.appendingBytes -= bytes;
    }
  }

  private async untilAcknowledged(entry: Entry, facts: ParkFacts): Promise<number | undefined> {
    const { producer, retries, clock, plantedBug } = this.parts;
    const { signal } = entry.owner;
    for (let pauseMs = firstPauseMs; !signal.aborted; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      if (!this.parts.mayAct()) {
        await sleep(clock, firstPauseMs, signal);
        continue;
      }
      try {
        const { offset } = await producer.send(parkedRecordOf(entry.record, retries.topic.name, facts));
        return Number(offset);
      } catch (error) {
        this.warn(entry, error, pauseMs);
      }
      if (plantedBug === 'no-ack') return -1;
      if (plantedBug === 'attempt-again' && !entry.copy && entry.lane.parking.length === 1) {
        this.abandoned.add(entry);
        return -1;
      }
      await sleep(clock, pauseMs, signal);
    }
    return undefined;
  }

  private warn({ record }: Entry, error: unknown, pauseMs: number): void {
    const { topic, partition, offsetText } = record;
    this.parts.logger.warn(
      { ...errorFields(error), topic, partition, offset: offsetText, pauseMs },
      'record.not-parked-yet: it is appended again until Kafka acknowledges it',
    );
  }
}
