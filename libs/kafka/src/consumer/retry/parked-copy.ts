import {
  errorHeaders,
  type HoldMark,
  holdMarks,
  originHeaders,
  redriveHeaders,
  retryHeaders,
} from '@tributary/contracts';
import type { Failure } from '@tributary/domain';
import type { IncomingRecord, OutgoingRecord } from '../../records.js';
import type { FetchedMessage } from '../consumer-driver.js';
import { originOf, replaceHeaders } from '../dead-letter.js';

/** One unfinished entry of the retry topic that stands for a record of the main topic. The value need not be in memory. */
export interface ParkedCopy {
  /** Offset in the main topic: the order of a key. */
  readonly origin: number;
  /** Offset in the retry topic. */
  readonly offset: number;
  readonly lane: string;
  readonly scope: string;
  readonly redriveId: string | undefined;
  readonly redriveCount: number;
  /** Undefined: it is attempted when its turn comes. */
  readonly hold: HoldMark | undefined;
  /** Of one that holds its key: the id of its dead letter. */
  readonly deadLetter: string | undefined;
  /** The tracker's; -1 until it was fetched back. */
  position: number;
  /** Epoch milliseconds before which it is not attempted. */
  dueMs: number;
  attempts: number;
  firstFailureMs: number | undefined;
  /** Its wait was asked for by the destination, so it holds for all of the scope. */
  isThrottled: boolean;
  /** Since when it waits at a closed gate although it is due. */
  gatedSinceMs: number | undefined;
  /** Epoch milliseconds from which Kafka counts its retention. */
  readonly appendedMs: number;
  /** Undefined: not in memory; it is fetched again when its turn comes. */
  message: FetchedMessage | undefined;
}

export type CopyFacts = Omit<
  ParkedCopy,
  'offset' | 'lane' | 'scope' | 'position' | 'message' | 'gatedSinceMs' | 'appendedMs'
>;

export interface ParkFacts {
  readonly group: string;
  readonly attempts: number;
  readonly dueMs: number;
  readonly firstFailureMs: number | undefined;
  /** Undefined: it is parked without an attempt. */
  readonly failure: Failure | undefined;
  readonly hold?: HoldMark | undefined;
  readonly deadLetter?: string | undefined;
  /** More to set, and with undefined to take away. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/** When a dead letter that holds its key is due, for readers that know nothing of holds: the end of the year 9999. */
export const neverMs = 253_402_300_799_000;

const offsetText = /^\d{1,16}$/;

/** What the headers of a fetched entry say. A text says why it cannot be a copy of a record of this partition. */
export function readCopy({ headers, partition }: IncomingRecord, mainTopic: string): CopyFacts | string {
  const topic = headers[originHeaders.topic];
  const originPartition = headers[originHeaders.partition];
  const origin = headers[originHeaders.offset] ?? '';
  if (topic !== mainTopic) return `${originHeaders.topic} is ${topic ?? 'absent'}, not ${mainTopic}`;
  if (originPartition !== String(partition)) {
    return `${originHeaders.partition} is ${originPartition ?? 'absent'}, not ${partition}`;
  }
  if (!offsetText.test(origin)) return `${originHeaders.offset} is no offset`;
  const hold = headers[retryHeaders.hold];
  if (hold !== undefined && !isHoldMark(hold))
    return `${retryHeaders.hold} is ${hold}, which this version does not know`;
  return {
    origin: Number(origin),
    dueMs: numberIn(headers[retryHeaders.dueMs]) ?? 0,
    attempts: numberIn(headers[retryHeaders.attempt]) ?? 0,
    firstFailureMs: numberIn(headers[retryHeaders.firstFailureMs]),
    isThrottled: hold === undefined && headers[errorHeaders.class] === 'throttled',
    hold,
    deadLetter: headers[retryHeaders.deadLetter],
    redriveId: headers[redriveHeaders.id],
    redriveCount: numberIn(headers[redriveHeaders.count]) ?? 0,
  };
}

/** The record for the retry topic: key, value and headers as they came, same partition number, and when it is due. */
export function parkedRecordOf(record: IncomingRecord, topic: string, facts: ParkFacts): OutgoingRecord {
  const { group, attempts, dueMs, firstFailureMs, failure, hold, deadLetter } = facts;
  return {
    topic,
    partition: record.partition,
    key: record.key,
    value: record.value,
    headers: replaceHeaders(record.rawHeaders, {
      ...facts.headers,
      [retryHeaders.attempt]: String(attempts),
      [retryHeaders.dueMs]: String(Math.ceil(dueMs)),
      [retryHeaders.firstFailureMs]: firstFailureMs === undefined ? undefined : String(firstFailureMs),
      [retryHeaders.hold]: hold,
      [retryHeaders.deadLetter]: deadLetter,
      ...errorClassOf(record, topic, failure),
      ...originOf(record, group),
    }),
  };
}

/** It is no record to attempt but the lock of its key, until a person decides. */
export const isHolding = ({ hold }: Pick<ParkedCopy, 'hold'>): boolean => hold === holdMarks.deadLetter;

/** A person gave the record up. */
export const isRelease = ({ hold }: Pick<ParkedCopy, 'hold'>): boolean => hold === holdMarks.released;

export type CopyRank = Pick<ParkedCopy, 'redriveCount' | 'redriveId' | 'hold' | 'offset'>;

/** Of two copies of a record, whether the first counts. */
export function outranks(copy: CopyRank, other: CopyRank): boolean {
  if (copy.redriveCount !== other.redriveCount) return copy.redriveCount > other.redriveCount;
  if (isRelease(copy) !== isRelease(other)) return isRelease(other);
  // The same redrive twice, or a crash between the dead letter and its hold: what is known to have died is not attempted again.
  const isSameRedrive = copy.redriveId === other.redriveId;
  if (isSameRedrive && isHolding(copy) !== isHolding(other)) return isHolding(copy);
  return copy.offset > other.offset;
}

const isHoldMark = (text: string): text is HoldMark => Object.values<string>(holdMarks).includes(text);

/** A copy that is appended again without an attempt says what it said before. */
function errorClassOf(record: IncomingRecord, topic: string, failure: Failure | undefined) {
  if (!failure && record.topic === topic) return {};
  return { [errorHeaders.class]: failure?.errorClass };
}

/** Times and counts are written by us and by redrives; anything else counts as not written. */
function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && offsetText.test(text) ? Number(text) : undefined;
}
