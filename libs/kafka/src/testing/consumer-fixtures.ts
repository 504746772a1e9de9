import { deadLetterTopicOf, defineTopic, retryTopicOf, type TopicDefinition } from '@tributary/contracts';
import { createTopic, uniqueName } from '@tributary/testing';
import type { KafkaClient } from '../connection/client.js';
import { systemClock } from '../connection/clock.js';
import { ConsumerRuntime } from '../consumer/consumer-runtime.js';
import { KafkaJsDriver } from '../consumer/kafkajs-driver.js';
import type { ConsumeOptions, RecordHandler, RuntimeObserver } from '../consumer/runtime-options.js';
import type { RecordProducer } from '../producer/record-producer.js';
import { silentLogger } from './kafka-fixtures.js';

export { aFailure } from './failures.js';

export interface TestTopic {
  readonly main: TopicDefinition;
  readonly dead: TopicDefinition;
  readonly retry: TopicDefinition;
}

/** A topic and its dead-letter topic. Its retry topic is created by those who use it. */
export async function aTopic(brokers: readonly string[], partitions: number): Promise<TestTopic> {
  const main = defineTopic({
    name: uniqueName('main'),
    records: [],
    key: 'any',
    owner: 'tests',
    partitions,
    purpose: 'A test.',
  });
  const dead = deadLetterTopicOf(main);
  const retry = retryTopicOf(main);
  await createTopic(brokers, main.name, partitions);
  await createTopic(brokers, dead.name, partitions);
  return { main, dead, retry };
}

export interface RuntimeUnderTest {
  readonly client: KafkaClient;
  readonly producer: RecordProducer;
  readonly topic: TestTopic;
  readonly group: string;
  readonly handler: RecordHandler;
  readonly options?: Partial<ConsumeOptions>;
  readonly observer?: RuntimeObserver;
  readonly onFatal?: (error: Error) => void;
}

export function aRuntime({
  client,
  producer,
  topic,
  group,
  handler,
  options,
  observer,
  onFatal,
}: RuntimeUnderTest): ConsumerRuntime {
  const clock = systemClock;
  const topics = options?.retries ? [topic.main, topic.retry] : [topic.main];
  const driver = new KafkaJsDriver({
    client,
    group,
    topics: topics.map(({ name }) => name),
    clock,
    logger: silentLogger,
    pairsTopics: options?.retries !== undefined,
  });
  return new ConsumerRuntime({
    driver,
    producer,
    topics,
    options: { group, deadLetterTopic: topic.dead, ...options },
    handler,
    logger: silentLogger,
    ...(observer && { observer }),
    ...(onFatal && { onFatal }),
  });
}
