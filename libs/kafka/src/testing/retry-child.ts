import { deadLetterTopicOf, defineTopic, retryTopicOf } from '@tributary/contracts';
import { createKafka } from '../connection/client.js';
import { systemClock } from '../connection/clock.js';
import { ConsumerRuntime } from '../consumer/consumer-runtime.js';
import { KafkaJsDriver } from '../consumer/kafkajs-driver.js';
import { RecordProducer } from '../producer/record-producer.js';
import { aFailure } from './failures.js';
import { silentLogger } from './silent-logger.js';

/*
 * A consumer in a process of its own, so that a test can kill it with no chance to say goodbye. Every attempt is one line of JSON on
 * stdout. Values that begin with `fail` fail once, with the delay that is given; those that begin with `die` die, and hold their key.
 */
const [brokers = '', group = '', topicName = '', delayMs = '0'] = process.argv.slice(2);

const main = defineTopic({
  name: topicName,
  records: [],
  key: 'any',
  owner: 'tests',
  partitions: 2,
  purpose: 'A test.',
});
const retry = retryTopicOf(main);
const client = createKafka({ brokers: brokers.split(','), clientId: `${group}-${process.pid}`, logger: silentLogger });
const topics = [main, retry];
const runtime = new ConsumerRuntime({
  driver: new KafkaJsDriver({
    client,
    group,
    topics: topics.map(({ name }) => name),
    clock: systemClock,
    logger: silentLogger,
    pairsTopics: true,
  }),
  producer: new RecordProducer(client, { deadlineMs: 3_000 }),
  topics,
  options: {
    group,
    deadLetterTopic: deadLetterTopicOf(main),
    retries: {
      topic: retry,
      longerThanMs: 1_000,
      takeover: { attemptMs: 500, appendMs: 3_000, marginMs: 500 },
      onDead: 'hold',
    },
  },
  handler: async ({ key, value }, { number }) => {
    const text = String(value);
    process.stdout.write(`${JSON.stringify({ key: String(key), value: text, number, atMs: Date.now() })}\n`);
    if (text.startsWith('fail') && number === 1) return { to: 'retry', delayMs: Number(delayMs), failure: aFailure };
    if (text.startsWith('die')) return { to: 'deadLetter', failure: aFailure };
    return { to: 'commit' };
  },
  logger: silentLogger,
  onFatal: (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
});
await runtime.start();
