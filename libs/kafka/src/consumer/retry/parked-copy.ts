import { errorHeaders, originHeaders, redriveHeaders, retryHeaders } from '@tributary/contracts';
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
}

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
  return {
    origin: Number(origin),
    dueMs: numberIn(headers[retryHeaders.dueMs]) ?? 0,
    attempts: numberIn(headers[retryHeaders.attempt]) ?? 0,
    firstFailureMs: numberIn(headers[retryHeaders.firstFailureMs]),
    isThrottled: headers[errorHeaders.class] === 'throttled',
    redriveId: headers[redriveHeaders.id],
    redriveCount: numberIn(headers[redriveHeaders.count]) ?? 0,
  };
}

/** The record for the retry topic: key, value and headers as they came, same partition number, and when it is due. */
export function parkedRecordOf(record: IncomingRecord, topic: string, facts: ParkFacts): OutgoingRecord {
  const { group, attempts, dueMs, firstFailureMs, failure } = facts;
  return {
    topic,
    partition: record.partition,
    key: record.key,
    value: record.value,
    headers: replaceHeaders(record.rawHeaders, {
      [retryHeaders.attempt]: String(attempts),
      [retryHeaders.dueMs]: String(Math.ceil(dueMs)),
      [retryHeaders.firstFailureMs]: firstFailureMs === undefined ? undefined : String(firstFailureMs),
      ...errorClassOf(record, topic, failure),
      ...originOf(record, group),
    }),
  };
}

/** A copy that is appended again without an attempt says what it said before. */
function errorClassOf(record: IncomingRecord, topic: string, failure: Failure | undefined) {
  if (!failure && record.topic === topic) return {};
  return { [errorHeaders.class]: failure?.errorClass };
}

/** Times and counts are written by us and by redrives; anything else counts as not written. */
function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && offsetText.test(text) ? Number(text) : undefined;
}
