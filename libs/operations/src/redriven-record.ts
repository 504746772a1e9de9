import { errorHeaders, holdMarks, originHeaders, redriveHeaders, retryHeaders } from '@tributary/contracts';
import type { OutgoingRecord } from '@tributary/kafka';
import { chainEndingIn } from './consumer-groups.js';
import { type DeadLetter, redrivesOf } from './dead-letter.js';

/** What is sent instead of what died. */
export interface Correction {
  readonly value?: Buffer;
  /** By lower-case name; undefined takes one away. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

// Where it came from stays with it; what happened to it begins anew.
const startsAnew = new Set<string>([...Object.values(retryHeaders), ...Object.values(errorHeaders)]);

/** The record for the group's own retry topic: same key, partition, origin and delivery id. */
export function redrivenRecord(
  { record }: DeadLetter,
  redriveId: string,
  nowMs: number,
  correction: Correction = {},
): OutgoingRecord {
  const retry = chainEndingIn(record.topic)?.retry;
  if (!retry) throw new TypeError(`${record.topic} belongs to no chain that can be redriven`);
  const corrected = correction.headers ?? {};
  const kept = Object.entries(record.rawHeaders).filter(
    ([name]) => !startsAnew.has(name.toLowerCase()) && !Object.hasOwn(corrected, name.toLowerCase()),
  );
  const set = Object.entries(corrected).filter(([, value]) => value !== undefined);
  return {
    topic: retry.name,
    partition: record.partition,
    key: record.key,
    value: correction.value ?? record.value,
    timestampMs: nowMs,
    headers: {
      ...Object.fromEntries(kept),
      ...(Object.fromEntries(set) as Record<string, string>),
      [redriveHeaders.id]: redriveId,
      [redriveHeaders.count]: String(redrivesOf(record) + 1),
    },
  };
}

/** What ends the hold of a dead letter that is given up; undefined: it holds no key. */
export function releaseRecord({ record }: DeadLetter, nowMs: number): OutgoingRecord | undefined {
  if (record.headers[retryHeaders.hold] !== holdMarks.deadLetter) return undefined;
  const retry = chainEndingIn(record.topic)?.retry;
  if (!retry) throw new TypeError(`${record.topic} belongs to no chain in which a key can be held`);
  const kept = Object.entries(record.rawHeaders).filter(([name]) => !startsAnew.has(name.toLowerCase()));
  return {
    topic: retry.name,
    partition: record.partition,
    key: record.key,
    value: record.value,
    timestampMs: nowMs,
    headers: {
      ...Object.fromEntries(kept),
      [redriveHeaders.count]: String(redrivesOf(record) + 1),
      [retryHeaders.hold]: holdMarks.released,
    },
  };
}

/** Why it cannot be sent again whatever its state; undefined: it can. */
export function whyNotRedrivable({ record }: DeadLetter, maxRedrives: number): string | undefined {
  const chain = chainEndingIn(record.topic);
  if (!chain?.retry) return `${chain?.group ?? 'its group'} has no retry topic; it can only be discarded`;
  const { headers } = record;
  const topic = headers[originHeaders.topic];
  const isOrigin =
    topic === chain.main.name &&
    headers[originHeaders.partition] === String(record.partition) &&
    /^\d{1,15}$/.test(headers[originHeaders.offset] ?? '');
  // The consumer orders by origin: one without would die again at once, or stand in the place of another.
  if (!isOrigin) return `it says that it came from ${topic ?? 'nowhere'}, not from ${chain.main.name}; discard it`;
  const redrives = redrivesOf(record);
  if (redrives >= maxRedrives) {
    return `it was redriven ${redrives} times already and is parked; look at it, then raise --max-redrives`;
  }
  return undefined;
}
