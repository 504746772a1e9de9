import { readFileSync } from 'node:fs';
import { SealingKey, SecretReader } from '@tributary/config';
import type { TopicAccess } from '@tributary/contracts';
import {
  type ControlTableName,
  controlTopics,
  type FollowedTables,
  type FollowTopic,
  followControlTables,
} from '@tributary/control';
import { AvroSerde, CompactedTopicReader, createKafka, type KafkaClient, RecordProducer } from '@tributary/kafka';
import { AuditTrail, patientCodec, type RecordCodec } from '@tributary/pipeline';
import type { Logger, Metrics } from '@tributary/telemetry';
import type { PlatformValues } from './run-service.js';
import { producerMetrics } from './runtime-metrics.js';
import { kafkaSecurity, registryOptions } from './security.js';

/** What every service that talks to Kafka has. */
export interface Platform {
  readonly client: KafkaClient;
  /** What the process opens; absent for tools, which may do anything. */
  readonly access?: TopicAccess;
  readonly producer: RecordProducer;
  readonly codec: RecordCodec;
  readonly audit: AuditTrail;
  /** Reads the named control tables to their end, then keeps them true. */
  followTables(names: readonly ControlTableName[]): Promise<FollowedTables>;
  /** Flushes what is queued and disconnects. */
  close(): Promise<void>;
}

export interface PlatformOptions {
  readonly name: string;
  readonly settings: PlatformValues;
  readonly logger: Logger;
  /** Absent: nothing is counted. */
  readonly metrics?: Metrics;
  /** The process is held to it; absent: nothing is checked. */
  readonly access?: TopicAccess;
  /** A reader of a control table is dead for good. */
  readonly onFatal: (error: Error) => void;
  /** Longest wait for an acknowledgement; absent: the producer's default. */
  readonly produceDeadlineMs?: number;
  /** How far apart the producer's small requests start; absent: the producer's default. */
  readonly produceSpacingMs?: number;
}

export function connectPlatform({
  name,
  settings,
  logger,
  metrics,
  access,
  onFatal,
  produceDeadlineMs,
  produceSpacingMs,
}: PlatformOptions): Platform {
  const client = createKafka({ brokers: settings.brokers, clientId: name, logger, ...kafkaSecurity(settings) });
  const producer = new RecordProducer(client, {
    logger,
    ...(metrics && { onRequest: producerMetrics(metrics) }),
    ...(access && { mayWrite: new Set(access.writes.map((topic) => topic.name)) }),
    ...(produceDeadlineMs !== undefined && { deadlineMs: produceDeadlineMs }),
    ...(produceSpacingMs !== undefined && { spacingMs: produceSpacingMs }),
  });
  // Not awaited: a service starts while Kafka is away, says so in its readiness, and recovers by itself.
  // One that writes nothing has no right to: asking for a producer's identity again and again would be all it does.
  if (access?.writes.length !== 0) {
    producer.connect().catch((error: Error) => logger.error({ error }, 'producer.connect-failed'));
  }
  const codec = patientCodec(new AvroSerde({ ...registryOptions(settings), logger }));
  return {
    client,
    ...(access && { access }),
    producer,
    codec,
    audit: new AuditTrail(producer, codec),
    followTables: (names) => {
      if (access) requireFollowed(access, names);
      return followControlTables(
        names,
        followWith(client, logger, onFatal),
        async (value, record) => (await codec.decode(value, record)).value,
        (table, id, error) => logger.error({ table, id, error }, 'control-row.unreadable'),
      );
    },
    close: () => producer.close(),
  };
}

/** @throws Error naming the tables that the process may not read. */
function requireFollowed({ follows }: TopicAccess, names: readonly ControlTableName[]): void {
  const missing = names.filter((name) => !follows.includes(controlTopics[name].topic));
  if (missing.length === 0) return;
  throw new Error(`${missing.join(', ')} must be in "follows" in the access.ts of the app that reads them`);
}

export function followWith(client: KafkaClient, logger: Logger, onFatal: (error: Error) => void): FollowTopic {
  return async (topic, onRecord) => {
    const reader = new CompactedTopicReader({
      client,
      topic: topic.name,
      logger,
      onFatal,
      onRecord: (key, value) => onRecord(key, value),
    });
    await reader.start();
    await reader.ready;
    return { close: () => reader.stop() };
  };
}

/** The key of sealed secrets, and a reader of secret references. The process does not start with a key it cannot read. */
export function openSecrets(kekFile: string | undefined): {
  readonly key: SealingKey | undefined;
  readonly reader: SecretReader;
} {
  const key = kekFile === undefined ? undefined : SealingKey.parse(readFileSync(kekFile, 'utf8'));
  return { key, reader: new SecretReader(key) };
}
