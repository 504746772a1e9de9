import { defineTopic } from '@tributary/contracts';
import { testStack, uniqueName } from '@tributary/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { createKafka } from '../connection/client.js';
import { RecordProducer } from '../producer/record-producer.js';
import type { IncomingRecord } from '../records.js';
import { silentLogger } from '../testing/silent-logger.js';
import { TopicAdmin } from './topic-admin.js';
import { type OffsetRange, readRecords } from './topic-reader.js';
import { scanTopic } from './topic-scan.js';

const { brokers } = testStack().kafka;
const client = createKafka({ brokers, clientId: 'reader', logger: silentLogger });
const producer = new RecordProducer(client);
const admin = new TopicAdmin(client);
afterAll(async () => {
  await producer.close();
  await admin.close();
});

async function topicWith(perPartition: readonly number[]): Promise<string> {
  const name = uniqueName('read');
  const topic = defineTopic({
    name,
    records: [],
    key: 'any',
    owner: 'tests',
    purpose: 'A test.',
    retentionMs: 3_600_000,
  });
  await admin.apply(await admin.plan([topic], { partitions: perPartition.length }));
  const records = perPartition.flatMap((count, partition) =>
    Array.from({ length: count }, (_, n) => ({
      topic: name,
      partition,
      key: 'k',
      value: Buffer.from(`${n}`.padEnd(500)),
    })),
  );
  await Promise.all(records.map((record) => producer.send(record)));
  return name;
}

const range = (topic: string, partition: number, from: number, to: number): OffsetRange => ({
  topic,
  partition,
  from,
  to,
});
const placeOf = ({ topic, partition, offset }: IncomingRecord) => `${topic}/${partition}/${offset}`;
const placesIn = ({ topic, partition, from, to }: OffsetRange) =>
  Array.from({ length: to - from }, (_, i) => `${topic}/${partition}/${from + i}`);

async function placesOf(ranges: readonly OffsetRange[], silenceMs = 15_000): Promise<string[]> {
  const places: string[] = [];
  for await (const record of readRecords({ client, ranges, silenceMs })) places.push(placeOf(record));
  return places;
}

describe('readRecords', () => {
  it('reads ranges of several topics one after the other, each exactly', async () => {
    const [one, other] = [await topicWith([5_000, 0, 7]), await topicWith([20])];
    const ranges = [
      range(one, 2, 1, 6),
      range(one, 0, 17, 4_990),
      range(one, 1, 0, 0),
      range(other, 0, 19, 20),
      range(one, 2, 0, 2),
    ];
    expect(await placesOf(ranges)).toEqual(ranges.flatMap(placesIn));
  });

  it('reads nothing of no ranges', async () => {
    expect(await placesOf([])).toEqual([]);
  });

  it('can be left in the middle', async () => {
    const topic = await topicWith([3_000]);
    const places: string[] = [];
    for await (const record of readRecords({ client, ranges: [range(topic, 0, 0, 3_000)] })) {
      places.push(placeOf(record));
      if (places.length === 3) break;
    }
    expect(places).toEqual(placesIn(range(topic, 0, 0, 3)));
  });

  it('gives up on a partition that does not answer', async () => {
    const topic = await topicWith([1]);
    const reading = placesOf([range(topic, 0, 0, 2)], 500);
    await expect(reading).rejects.toThrow(/could not be read to its end: the broker was silent/);
  });

  it('finds the end of a topic by itself', async () => {
    const topic = await topicWith([3, 2]);
    const places: string[] = [];
    await scanTopic({ client, topic, onRecord: (record) => places.push(placeOf(record)) });
    expect(places).toEqual([...placesIn(range(topic, 0, 0, 3)), ...placesIn(range(topic, 1, 0, 2))]);
  });
});
