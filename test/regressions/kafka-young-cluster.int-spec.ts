/**
 * A cluster that has just started has no coordinator for any group until its offsets topic exists. kafkajs calls that error final:
 * its consumer crashes with `restart: false`, which we took for a dead process, so services that started together with their
 * broker ended. It passes by itself, so the consumer and the reader of control topics must wait and join.
 */
import { createRequire } from 'node:module';
import { createTopic, eventually, testStack, uniqueName } from '@tributary/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CompactedTopicReader, createKafka, RecordProducer } from '../../libs/kafka/src/index.js';
import { aRuntime, aTopic } from '../../libs/kafka/src/testing/consumer-fixtures.js';
import { silentLogger } from '../../libs/kafka/src/testing/kafka-fixtures.js';

const require = createRequire(import.meta.url);
const Cluster = require('kafkajs/src/cluster') as {
  prototype: { findGroupCoordinator(args: unknown): Promise<unknown> };
};
const { KafkaJSGroupCoordinatorNotFound } = require('kafkajs/src/errors') as {
  KafkaJSGroupCoordinatorNotFound: new (message: string) => Error;
};

const failures = 2;

function withoutCoordinatorAtFirst() {
  const real = Cluster.prototype.findGroupCoordinator;
  let left = failures;
  return vi.spyOn(Cluster.prototype, 'findGroupCoordinator').mockImplementation(function (
    this: unknown,
    args: unknown,
  ) {
    left -= 1;
    if (left >= 0) return Promise.reject(new KafkaJSGroupCoordinatorNotFound('not yet'));
    return real.call(this as never, args);
  });
}

describe('a cluster without a coordinator', () => {
  const { brokers } = testStack().kafka;
  const client = createKafka({ brokers, clientId: uniqueName('young'), logger: silentLogger });
  afterEach(() => vi.restoreAllMocks());

  it('is waited for by the reader of a compacted topic', async () => {
    const topic = uniqueName('control');
    await createTopic(brokers, topic, 1, { 'cleanup.policy': 'compact' });
    const finder = withoutCoordinatorAtFirst();
    const fatal: Error[] = [];
    const reader = new CompactedTopicReader({
      client,
      topic,
      logger: silentLogger,
      onRecord: () => undefined,
      onFatal: (error) => fatal.push(error),
    });
    await reader.start();
    await eventually(() => finder.mock.calls.length > failures, { timeoutMs: 20_000 });
    await reader.ready;
    await reader.stop();
    expect(fatal).toEqual([]);
  });

  it('is waited for by a consumer, which then handles what is there', async () => {
    const topic = await aTopic(brokers, 1);
    const producer = new RecordProducer(client);
    await producer.send({ topic: topic.main.name, key: 'k', value: Buffer.from('v') });
    withoutCoordinatorAtFirst();
    const handled: string[] = [];
    const runtime = aRuntime({
      client,
      producer,
      topic,
      group: uniqueName('group'),
      handler: async (record) => {
        handled.push(String(record.value));
        return { to: 'commit' };
      },
    });
    void runtime.start();
    await eventually(() => handled.length === 1, { timeoutMs: 30_000 });
    expect(runtime.state).toBe('ready');
    await runtime.stop({ deadlineMs: 2_000 });
    await producer.close();
  });
});
