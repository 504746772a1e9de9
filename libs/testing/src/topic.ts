import { Kafka, logLevel } from 'kafkajs';
import { eventually } from './eventually.js';

/** Creates a topic and waits until every partition has a leader, so that the first produce or fetch finds it. */
export async function createTopic(
  brokers: readonly string[],
  name: string,
  partitions: number,
  config: Readonly<Record<string, string>> = {},
): Promise<void> {
  const admin = new Kafka({ clientId: 'tests', brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }));
    const topic = { topic: name, numPartitions: partitions, replicationFactor: 1, configEntries };
    const isNew = await admin.createTopics({ waitForLeaders: false, topics: [topic] });
    if (!isNew) throw new Error(`topic ${name} exists already; a test makes its own with uniqueName()`);
    await eventually(async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
      const led = topics[0]?.partitions.filter(({ leader }) => leader >= 0).length ?? 0;
      if (led !== partitions) throw new Error(`${led} of ${partitions} partitions of ${name} have a leader`);
      // Named as leader is not yet acting as one: only then does it tell offsets.
      await admin.fetchTopicOffsets(name);
    });
  } finally {
    await admin.disconnect();
  }
}
