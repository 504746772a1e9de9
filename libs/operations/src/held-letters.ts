import { holdMarks, originHeaders, redriveHeaders, retryHeaders } from '@tributary/contracts';
import { type CopyRank, type IncomingRecord, type OffsetRange, outranks } from '@tributary/kafka';
import { chainEndingIn } from './consumer-groups.js';
import { parseId } from './dead-letter.js';

interface HeldLettersPorts {
  readonly ranges: (topic: string) => Promise<OffsetRange[]>;
  readonly read: (ranges: readonly OffsetRange[]) => AsyncIterable<IncomingRecord>;
}

/**
 * Dead letters that retention deleted while they held their keys, out of the copies that hold them: such a copy is renewed as long as
 * nobody decides, and has all that a dead letter has. They keep the places that they had.
 */
export async function heldLetters(deadLetterTopic: string, ports: HeldLettersPorts): Promise<IncomingRecord[]> {
  const retry = chainEndingIn(deadLetterTopic)?.retry;
  const kept = retry ? await ports.ranges(retry.name) : [];
  if (kept.length === 0) return [];
  const firstKept = new Map((await ports.ranges(deadLetterTopic)).map(({ partition, from }) => [partition, from]));
  const letters: IncomingRecord[] = [];
  for (const record of (await holdsIn(kept, ports)).values()) {
    const place = placeOf(record, deadLetterTopic);
    if (place && place.offset < (firstKept.get(place.partition) ?? Number.POSITIVE_INFINITY))
      letters.push({ ...record, ...place, offset: BigInt(place.offset) });
  }
  return letters.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
}

/** By origin, what holds a key as far as the topic says. In memory that grows with held keys, not with the topic. */
async function holdsIn(ranges: readonly OffsetRange[], { read }: HeldLettersPorts) {
  const holds = new Map<string, IncomingRecord>();
  for await (const record of read(ranges)) {
    const origin = `${record.partition}/${record.headers[originHeaders.offset] ?? ''}`;
    const known = holds.get(origin);
    if (known && !outranks(rankOf(record), rankOf(known))) continue;
    if (record.headers[retryHeaders.hold] === holdMarks.deadLetter) holds.set(origin, record);
    else if (known) holds.delete(origin);
  }
  return holds;
}

const rankOf = ({ headers, offset }: IncomingRecord): CopyRank => ({
  offset: Number(offset),
  redriveCount: Number(headers[redriveHeaders.count]) || 0,
  redriveId: headers[redriveHeaders.id],
  hold: headers[retryHeaders.hold] as CopyRank['hold'],
});

function placeOf({ headers }: IncomingRecord, topic: string) {
  try {
    const place = parseId(headers[retryHeaders.deadLetter] ?? '');
    return place.topic === topic ? place : undefined;
  } catch {
    return undefined; // Somebody else wrote it: it is none of our dead letters.
  }
}
