import { retryTopicOf, topicFamilies } from '@tributary/contracts';
import type { RuntimeSnapshot } from '@tributary/kafka';

const deliveries = topicFamilies.delivery('http');
const main = deliveries.name;
const retry = retryTopicOf(deliveries).name;
const partition = (topic: string, oldestUnfinishedMs: number | undefined) => ({
  topic,
  partition: 3,
  watermark: 5,
  knownEnd: 9,
  windowRecords: 4,
  windowBytes: 400,
  inFlight: 1,
  mapBytes: 2,
  oldestUnfinishedMs,
});

/** A connector with a key that waits for a retry, one behind a closed gate and one that is parked. */
export const aSnapshot: RuntimeSnapshot = {
  group: 'connector-http',
  topics: [main, retry],
  state: 'ready',
  running: 1,
  partitions: [partition(main, 7_000), partition(retry, undefined)],
  heldLanes: [
    {
      topic: main,
      partition: 3,
      lane: 'out acme:8',
      offset: '6',
      state: 'gated',
      reason: 'throttled: 429',
      sinceMs: 8_000,
      untilMs: 20_000,
      attempts: 0,
    },
    {
      topic: main,
      partition: 3,
      lane: 'out acme:7',
      offset: '5',
      state: 'held',
      reason: 'unavailable: 503',
      sinceMs: 9_000,
      untilMs: 11_000,
      attempts: 2,
    },
  ],
  gates: [{ scope: 'out', kind: 'closed', closedUntilMs: 20_000, reason: 'throttled: 429', waitingLanes: 1 }],
  pauses: [{ topic: main, partition: 3, reason: 'window', sinceMs: 9_500 }],
  parked: [
    {
      topic: retry,
      partition: 3,
      records: 2,
      earliestDueMs: 30_000,
      oldestFailureMs: 4_000,
      oldestDeadMs: undefined,
      heads: [
        {
          lane: 'out acme:1',
          records: 2,
          offset: 1,
          attempts: 4,
          dueMs: 30_000,
          firstFailureMs: 4_000,
          deadLetter: undefined,
        },
      ],
    },
  ],
};
