import { Kafka, logLevel } from 'kafkajs';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { createTopic, testStack, uniqueName, withDatabase } from './index.js';

describe('the test stack', () => {
  const database = withDatabase();

  it('creates a topic with its partitions and settings', async () => {
    const { brokers } = testStack().kafka;
    const name = uniqueName('testing');
    await createTopic(brokers, name, 3, { 'cleanup.policy': 'compact' });
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      expect(await admin.fetchTopicOffsets(name)).toHaveLength(3);
      await expect(createTopic(brokers, name, 3)).rejects.toThrow(`topic ${name} exists already`);
    } finally {
      await admin.disconnect();
    }
  });

  it('gives the file an empty database of its own', async () => {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    try {
      const { rows } = await client.query<{ name: string }>('select current_database() as name');
      expect(rows[0]?.name).toMatch(/^test_[0-9a-f]{8}$/);
      expect((await client.query("select 1 from pg_tables where schemaname = 'public'")).rowCount).toBe(0);
    } finally {
      await client.end();
    }
  });

  it('has a registry that answers', async () => {
    const reply = await fetch(`${testStack().registry.url}/subjects`);
    expect(reply.status).toBe(200);
    expect(await reply.json()).toBeInstanceOf(Array);
  });
});
