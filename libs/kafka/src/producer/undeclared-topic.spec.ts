import { expect, it } from 'vitest';
import type { KafkaClient } from '../connection/client.js';
import { silentLogger } from '../testing/silent-logger.js';
import { UndeclaredTopic } from './producer-errors.js';
import { RecordProducer } from './record-producer.js';

it('a record for a topic that the process may not write is refused before Kafka is asked', async () => {
  const asked = () => {
    throw new Error('Kafka was asked');
  };
  const client = {
    clientId: 'spec',
    logger: silentLogger,
    newProducer: () => ({ connect: asked, send: asked }),
    newAdmin: asked,
  } as unknown as KafkaClient;
  const producer = new RecordProducer(client, { mayWrite: new Set(['raw.acme.v1']) });
  const refusal = producer.send({ topic: 'events.people.v1', key: 'k', value: Buffer.from('x') });
  await expect(refusal).rejects.toThrow(UndeclaredTopic);
  await expect(refusal).rejects.toThrow(/events\.people\.v1.*access\.ts/);
  expect(producer.queued).toBe(0);
});
