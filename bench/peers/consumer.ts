// The consumer runtime and the connector kit as a peer of the benchmark: contract in docs/benchmarks.md, section "Peers".
import { egressGuard, httpClient, outcomeFromResult } from '@tributary/connector-kit';
import { deadLetterTopicOf, defineTopic, retryTopicOf } from '@tributary/contracts';
import { defaultRetrySchedule, type RetrySchedule, type Settlement, settle } from '@tributary/domain';
import {
  type ConsumeOptions,
  createKafka,
  type IncomingRecord,
  type Logger,
  type RecordHandler,
  RecordProducer,
  TopicAdmin,
} from '@tributary/kafka';
import { systemClock } from '../../libs/kafka/src/connection/clock.js';
import { ConsumerRuntime } from '../../libs/kafka/src/consumer/consumer-runtime.js';
import { KafkaJsDriver } from '../../libs/kafka/src/consumer/kafkajs-driver.js';

const {
  BOOTSTRAP = 'localhost:9092',
  TOPIC = '',
  GROUP = '',
  URL: target = '',
  CONCURRENCY = '64',
  NOOP = '0',
  ORDERING = 'key',
} = process.env;
const partitions = 6;
const concurrency = Number(CONCURRENCY);
const ordering = ORDERING === 'none' ? 'none' : 'key';

const line =
  (level: string) =>
  (fields: object, message?: string): void =>
    void process.stderr.write(`${JSON.stringify({ level, message, ...fields })}\n`);
const logger: Logger = { debug: () => undefined, info: line('info'), warn: line('warn'), error: line('error') };

/**
 * As the default, with one more wait at its begin: at this destination most failures are over at once, and a hot key that stands
 * still for a second each time falls behind for good. From 30 s on a wait goes to the retry topic.
 */
const schedule: RetrySchedule = {
  ...defaultRetrySchedule,
  inPlaceMs: [250, ...defaultRetrySchedule.inPlaceMs],
};

const forwarded = ['x-event-id', 'x-key', 'x-seq', 'x-produced-ns'] as const;

function delivering(): { readonly handle: RecordHandler; close(): Promise<void> } {
  const http = httpClient({
    guard: egressGuard(['127.0.0.1/32']),
    timeoutMs: 5_000,
    connectionsPerOrigin: concurrency * 2,
  });
  const handle: RecordHandler = async (record, { number, firstFailureMs, signal }) => {
    const result = await http.send({
      method: 'POST',
      url: target,
      headers: headersOf(record),
      body: record.value ?? '',
      signal,
    });
    const nowMs = Date.now();
    return settle(
      outcomeFromResult(result, nowMs),
      { attempt: number, firstFailureMs, nowMs, random: Math.random() },
      { schedule, unknownOutcome: 'retry' },
    );
  };
  return { handle, close: () => http.close() };
}

function headersOf({ headers }: IncomingRecord): Record<string, string> {
  const all: Record<string, string> = { 'content-type': 'application/json' };
  for (const name of forwarded) all[name] = headers[name] ?? '';
  return all;
}

/** Handles nothing and says how long that took. */
function counting(count: number): RecordHandler {
  const done: Settlement = { to: 'commit' };
  let seen = 0;
  let startedAt = 0;
  return async () => {
    if (seen++ === 0) startedAt = performance.now();
    if (seen === count) console.log(JSON.stringify({ noop: count, ms: performance.now() - startedAt }));
    return done;
  };
}

const main = defineTopic({ name: TOPIC, records: [], key: 'any', owner: 'bench', partitions, purpose: 'A benchmark.' });
const dead = deadLetterTopicOf(main);
const retry = retryTopicOf(main);
const client = createKafka({ brokers: [BOOTSTRAP], clientId: 'bench-peer', logger });
const admin = new TopicAdmin(client);
await admin.create(retry.name, partitions);
await admin.close();
const producer = new RecordProducer(client, { deadlineMs: 3_000 });
await producer.connect();

const { handle, close } = Number(NOOP) > 0 ? { handle: counting(Number(NOOP)), close: async () => {} } : delivering();
const options: ConsumeOptions = {
  group: GROUP,
  concurrency,
  ordering,
  deadLetterTopic: dead,
  // This destination throttles single records, so its scope is the record's key; without an order, the record.
  gateScope: ({ key, headers }) => (ordering === 'key' ? (key?.toString() ?? '') : (headers['x-event-id'] ?? '')),
  retries: { topic: retry, fence: 'cross', takeover: { attemptMs: 5_000, appendMs: 3_000, marginMs: 2_000 } },
};
const runtime = new ConsumerRuntime({
  driver: new KafkaJsDriver({
    client,
    group: GROUP,
    topics: [main.name, retry.name],
    clock: systemClock,
    logger,
    pairsTopics: true,
  }),
  producer,
  topics: [main, retry],
  options,
  handler: handle,
  logger,
  onFatal: () => process.exit(1),
});
process.once('SIGTERM', async () => {
  await runtime.stop({ deadlineMs: 5_000 });
  await producer.close();
  await close();
  process.exit(0);
});
await runtime.start();
