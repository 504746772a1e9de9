import type { Failure } from '@tributary/domain';
import { type Clock, sleep } from '../connection/clock.js';
import { errorFields, type Logger } from '../connection/logger.js';
import type { RecordProducer } from '../producer/record-producer.js';
import type { IncomingRecord, RecordPosition } from '../records.js';
import { deadLetterOf } from './dead-letter.js';
import type { Entry } from './owned-partition.js';
import type { ConsumeOptions } from './runtime-options.js';

export interface DeadLettersParts {
  readonly options: Pick<ConsumeOptions, 'group' | 'deadLetterTopic' | 'onDeadLetter'>;
  readonly producer: Pick<RecordProducer, 'send'>;
  readonly logger: Logger;
  readonly clock: Clock;
}

const firstPauseMs = 1_000;
const longestPauseMs = 30_000;

/** Writes dead letters until they are acknowledged and told. */
export class DeadLetters {
  constructor(private readonly parts: DeadLettersParts) {}

  /** Where it is; undefined when the partition is lost or the process stops first: then the record is not finished. */
  async write(entry: Entry, failure: Failure, holdsKey = false): Promise<RecordPosition | undefined> {
    const { record, attempts, firstFailureMs } = entry;
    const { group, deadLetterTopic, onDeadLetter } = this.parts.options;
    const facts = { group, attempts: attempts + 1, firstFailureMs, failure, holdsKey };
    let position: RecordPosition | undefined;
    const isSafe = await this.persistently(entry, 'dead-letter.unwritten', async () => {
      const topic = typeof deadLetterTopic === 'function' ? deadLetterTopic(record) : deadLetterTopic;
      position = await this.parts.producer.send(deadLetterOf(record, topic, facts));
    });
    if (!isSafe || !onDeadLetter) return isSafe ? position : undefined;
    const isTold = await this.persistently(entry, 'dead-letter.untold', () => onDeadLetter(record, failure));
    return isTold ? position : undefined;
  }

  /** Repeats until it works; false when the partition is lost or the process stops first. */
  async persistently(entry: Entry, message: string, act: () => Promise<void>): Promise<boolean> {
    const { logger, clock } = this.parts;
    for (let pauseMs = firstPauseMs; !entry.owner.signal.aborted; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        await act();
        return entry.owner.isOwned;
      } catch (error) {
        logger.error({ ...errorFields(error), ...whereIs(entry.record), pauseMs }, message);
      }
      await sleep(clock, pauseMs, entry.owner.signal);
    }
    return false;
  }
}

export const whereIs = ({ topic, partition, offset }: IncomingRecord) => ({ topic, partition, offset: String(offset) });
