import { Controller, Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import type { Settlement } from '@tributary/domain';
import { eventually, testStack, uniqueName } from '@tributary/testing';
import { describe, expect, it } from 'vitest';
import { createKafka } from '../connection/client.js';
import type { Attempt } from '../consumer/runtime-options.js';
import { type ProduceRequestFacts, RecordProducer } from '../producer/record-producer.js';
import type { IncomingRecord } from '../records.js';
import { aTopic, type TestTopic } from '../testing/consumer-fixtures.js';
import { readAll, silentLogger } from '../testing/kafka-fixtures.js';
import { Consumes } from './consumes.js';
import { KafkaRuntimeServer } from './kafka-runtime-server.js';

let topic: TestTopic;
const group = uniqueName('nest');

@Injectable()
class Sink {
  readonly seen: { value: string; number: number; isRecord: boolean }[] = [];
}

@Controller()
class TestConsumer {
  constructor(@Inject(Sink) private readonly sink: Sink) {}

  @Consumes(
    () => topic.main,
    () => ({ group, deadLetterTopic: topic.dead }),
  )
  async handle(record: IncomingRecord, attempt: Attempt): Promise<Settlement> {
    this.sink.seen.push({ value: String(record.value), number: attempt.number, isRecord: record.offset >= 0n });
    if (String(record.value) === 'boom') throw new RangeError('out of range');
    return { to: 'commit' };
  }
}

@Module({ controllers: [TestConsumer], providers: [Sink] })
class TestModule {}

describe('KafkaRuntimeServer', () => {
  const { brokers } = testStack().kafka;
  const client = createKafka({ brokers, clientId: 'nest', logger: silentLogger });

  it('calls the method of the class Nest built, with the record and the attempt, and sees its errors as they are', async () => {
    topic = await aTopic(brokers, 1);
    const requests: ProduceRequestFacts[] = [];
    const producer = new RecordProducer(client, { onRequest: (request) => void requests.push(request) });
    const consumed: number[] = [];
    const polls: number[] = [];
    const fatal: Error[] = [];
    const strategy = new KafkaRuntimeServer({
      client,
      producer,
      logger: silentLogger,
      onFatal: (error) => void fatal.push(error),
      observer: {
        consumed: ({ records }) => void consumed.push(records),
        polled: ({ durationMs }) => void polls.push(durationMs),
      },
      expected: [{ group, topic: topic.main }],
      catalogue: [topic.main, topic.dead],
    });
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(TestModule, { strategy, logger: false });
    expect(strategy.isReady()).toBe(false);
    await app.listen();
    await producer.sendAll(
      ['one', 'boom'].map((value) => ({ topic: topic.main.name, key: 'k', value: Buffer.from(value) })),
    );
    const { seen } = app.get(Sink);
    await eventually(() => seen.length === 2, { timeoutMs: 20_000 });
    expect(strategy.isReady()).toBe(true);
    expect(seen).toEqual([
      { value: 'one', number: 1, isRecord: true },
      { value: 'boom', number: 1, isRecord: true },
    ]);
    await eventually(async () => (await readAll(client, topic.dead.name)).size === 1);
    const dead = (await readAll(client, topic.dead.name)).get('0:0');
    expect(dead?.headers?.['x-error-code']?.toString()).toBe('RangeError');
    expect(strategy.snapshot()).toMatchObject([{ group, state: 'ready', running: 0 }]);
    expect(consumed.reduce((sum, records) => sum + records, 0)).toBe(2);
    expect(polls.length).toBeGreaterThan(0);
    const sent = requests.reduce((sum, { acknowledged }) => sum + (acknowledged.get(topic.main.name) ?? 0), 0);
    expect([sent, requests.every(({ durationMs }) => durationMs > 0)]).toEqual([2, true]);
    await app.close();
    expect(strategy.runtimes[0]?.state).toBe('stopped');
    expect(fatal).toEqual([]);
    await producer.close();
  });

  it('does not start when a handler is missing', async () => {
    topic = await aTopic(brokers, 1);
    const producer = new RecordProducer(client);
    const strategy = new KafkaRuntimeServer({
      client,
      producer,
      logger: silentLogger,
      onFatal: () => {},
      expected: [{ group: 'someone-else', topic: topic.main }],
    });
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(TestModule, { strategy, logger: false });
    await expect(app.listen()).rejects.toThrow(/nothing consumes .* in group someone-else/);
    expect(strategy.runtimes).toEqual([]);
    await app.close();
    await producer.close();
  });
});
