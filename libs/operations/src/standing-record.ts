import {
  cloudEventHeaders as ce,
  deliveryHeaders,
  holdMarks,
  originHeaders,
  redriveHeaders,
  retryHeaders,
} from '@tributary/contracts';
import { type CopyRank, decodeCompletionMap, type IncomingRecord, outranks, type TopicAdmin } from '@tributary/kafka';
import type { Chain, OffsetSpan, ProofPorts, StandingRecord } from '@tributary/proof';

const asNumber = (text: string | undefined): number | undefined => {
  const value = Number(text);
  return text === undefined || text === '' || !Number.isSafeInteger(value) ? undefined : value;
};

/** What a proof wants to know of a record. */
export function standingOf({ topic, partition, offset, timestampMs, key, headers }: IncomingRecord): StandingRecord {
  const place = { topic, partition, offset: Number(offset) };
  const originOffset = asNumber(headers[originHeaders.offset]);
  const origin =
    headers[originHeaders.topic] === undefined || originOffset === undefined
      ? place
      : {
          topic: headers[originHeaders.topic] ?? topic,
          partition: asNumber(headers[originHeaders.partition]) ?? partition,
          offset: originOffset,
        };
  return {
    ...place,
    origin,
    key: key?.toString('utf8') ?? '',
    eventSource: headers[ce.source],
    eventId: headers[ce.id],
    deliveryId: headers[deliveryHeaders.deliveryId],
    connectionId: headers[deliveryHeaders.connectionId],
    timestampMs,
    attempts: asNumber(headers[retryHeaders.attempt]) ?? 0,
    dueMs: asNumber(headers[retryHeaders.dueMs]) ?? 0,
    firstFailureMs: asNumber(headers[retryHeaders.firstFailureMs]),
    holdsFor: headers[retryHeaders.hold] === holdMarks.deadLetter ? headers[retryHeaders.deadLetter] : undefined,
  };
}

const rankOf = ({ headers, offset }: IncomingRecord): CopyRank => ({
  offset: Number(offset),
  redriveCount: Number(headers[redriveHeaders.count]) || 0,
  redriveId: headers[redriveHeaders.id],
  hold: headers[retryHeaders.hold] as CopyRank['hold'],
});

type Read = (ranges: Parameters<ProofPorts['read']>[0]) => AsyncIterable<IncomingRecord>;

/** The copies in the retry topics of these chains that their groups have not finished; of each record, the one that counts. */
export async function parkedIn(
  admin: Pick<TopicAdmin, 'offsets' | 'groupOffsets'>,
  read: Read,
  chains: readonly Chain[],
): Promise<StandingRecord[]> {
  const done = new Map<string, OffsetSpan[]>();
  const ranges = [];
  for (const { group, retry } of chains) {
    const committed = await finishedOf(admin, group, retry);
    for (const { partition, low, high } of (await admin.offsets(retry)) ?? []) {
      const one = committed.get(partition);
      const from = Math.max(low, one?.committed ?? low);
      if (one) done.set(`${retry}/${partition}`, [...one.finished]);
      if (from < high) ranges.push({ topic: retry, partition, from, to: high });
    }
  }
  const counting = new Map<string, IncomingRecord>();
  const isFinished = ({ topic, partition, offset }: IncomingRecord) =>
    (done.get(`${topic}/${partition}`) ?? []).some(({ from, to }) => Number(offset) >= from && Number(offset) < to);
  for await (const record of ranges.length > 0 ? read(ranges) : []) {
    if (isFinished(record)) continue;
    const origin = `${record.topic} ${record.partition}/${record.headers[originHeaders.offset] ?? ''}`;
    const known = counting.get(origin);
    // Values are not needed any more, and many may be parked.
    if (!known || outranks(rankOf(record), rankOf(known))) counting.set(origin, { ...record, value: null });
  }
  return [...counting.values()]
    .filter(({ headers }) => headers[retryHeaders.hold] !== holdMarks.released)
    .map(standingOf);
}

export interface Finished {
  readonly committed: number | undefined;
  /** Above the committed offset. */
  readonly finished: readonly OffsetSpan[];
}

/** Where a group stands in a topic, by partition. */
export async function finishedOf(
  admin: Pick<TopicAdmin, 'groupOffsets'>,
  group: string,
  topic: string,
): Promise<Map<number, Finished>> {
  const offsets = await admin.groupOffsets(group, [topic]);
  return new Map(
    offsets.map(({ partition, offset, metadata }) => [
      partition,
      { committed: offset, finished: offset === undefined ? [] : finishedAbove(offset, metadata) },
    ]),
  );
}

/** A map that cannot be read stops its partition, which says so itself: here nothing above counts as finished. */
function finishedAbove(offset: number, metadata: string): readonly OffsetSpan[] {
  try {
    return decodeCompletionMap(offset, metadata).finished;
  } catch {
    return [];
  }
}
