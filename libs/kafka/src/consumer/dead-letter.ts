import { errorHeaders, holdMarks, originHeaders, retryHeaders, type TopicDefinition } from '@tributary/contracts';
import { digestOfParts, type Failure } from '@tributary/domain';
import type { IHeaders, IncomingRecord, OutgoingRecord } from '../records.js';

export interface DeathFacts {
  readonly group: string;
  /** Attempts made, the last one included. */
  readonly attempts: number;
  readonly firstFailureMs: number | undefined;
  readonly failure: Failure;
  /** What comes after it waits for what a person decides. */
  readonly holdsKey: boolean;
}

const maxMessageBytes = 1024;
const fingerprintCharacters = 16;

/** The record for the dead-letter topic: key, value and headers as they came, on the same partition, and why it is there. */
export function deadLetterOf(record: IncomingRecord, topic: TopicDefinition, facts: DeathFacts): OutgoingRecord {
  return {
    topic: topic.name,
    partition: record.partition,
    key: record.key,
    value: record.value,
    headers: replaceHeaders(record.rawHeaders, deathHeaders(record, facts)),
  };
}

/** Equal for records that died of the same cause at the same place, so that thousands read as a few. */
export function fingerprintOf(topic: string, { errorClass, code }: Failure): string {
  return digestOfParts([topic, errorClass, code ?? '']).slice(0, fingerprintCharacters);
}

function deathHeaders(
  record: IncomingRecord,
  { group, attempts, firstFailureMs, failure, holdsKey }: DeathFacts,
): Record<string, string | undefined> {
  return {
    [retryHeaders.attempt]: String(attempts),
    [retryHeaders.dueMs]: undefined,
    [retryHeaders.firstFailureMs]: firstFailureMs === undefined ? undefined : String(firstFailureMs),
    [retryHeaders.hold]: holdsKey ? holdMarks.deadLetter : undefined,
    [retryHeaders.deadLetter]: undefined,
    ...originOf(record, group),
    ...errorHeadersOf(record, failure),
  };
}

/** Why a record died. */
export function errorHeadersOf(record: IncomingRecord, failure: Failure): Record<string, string | undefined> {
  return {
    [errorHeaders.class]: failure.errorClass,
    [errorHeaders.code]: failure.code,
    [errorHeaders.message]: cutUtf8(failure.reason, maxMessageBytes),
    [errorHeaders.stage]: failure.stage,
    [errorHeaders.fingerprint]: fingerprintOf(record.headers[originHeaders.topic] ?? record.topic, failure),
  };
}

/** Where it came from first: a record that dies again on its way through the chain keeps its first coordinates. */
export function originOf(record: IncomingRecord, group: string): Record<string, string | undefined> {
  const { headers } = record;
  const { topic, partition, offset } = originHeaders;
  if ([topic, partition, offset].every((name) => headers[name] !== undefined)) {
    return Object.fromEntries(Object.values(originHeaders).map((name) => [name, headers[name]]));
  }
  return {
    [originHeaders.topic]: record.topic,
    [originHeaders.partition]: String(record.partition),
    [originHeaders.offset]: String(record.offset),
    [originHeaders.timestamp]: String(record.timestampMs),
    [originHeaders.group]: group,
  };
}

/** Replaces, never appends: the size stays the same however often a record comes by. Undefined takes a header away. */
export function replaceHeaders(raw: IHeaders, ours: Readonly<Record<string, string | undefined>>): IHeaders {
  const headers: IHeaders = {};
  for (const name in raw) if (!Object.hasOwn(ours, name.toLowerCase())) headers[name] = raw[name];
  for (const [name, value] of Object.entries(ours)) if (value !== undefined) headers[name] = value;
  return headers;
}

/** The longest beginning of the text that fits and does not end inside a character. */
export function cutUtf8(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= maxBytes) return bytes.toString('utf8');
  let end = maxBytes;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}
