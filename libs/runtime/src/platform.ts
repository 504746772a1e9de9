import { readFileSync } from 'node:fs';
import { SealingKey, SecretReader } from '@tributary/config';
import { type ControlTableName, type FollowedTables, type FollowTopic, followControlTables } from '@tributary/control';
import { AvroSerde, CompactedTopicReader, createKafka, type KafkaClient, RecordProducer } from '@tributary/kafka';
import { AuditTrail, patientCodec, type RecordCodec } from '@tributary/pipeline';
import type { Logger, Metrics } from '@tributary/telemetry';
import type { PlatformValues } from './run-service.js';
import { producerMetrics } from './runtime-metrics.js';

/** What every service that talks to Kafka has. */
export interface Platform {
  readonly client: KafkaClient;
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
  onFatal,
  produceDeadlineMs,
  produceSpacingMs,
}: PlatformOptions): Platform {
  const client = createKafka({ brokers: settings.brokers, clientId: name, logger, ...security(settings) });
  const producer = new RecordProducer(client, {
    logger,
    ...(metrics && { onRequest: producerMetrics(metrics) }),
    ...(produceDeadlineMs !== undefined && { deadlineMs: produceDeadlineMs }),
    ...(produceSpacingMs !== undefined && { spacingMs: produceSpacingMs }),
  });
  // Not awaited: a service starts while Kafka is away, says so in its readiness, and recovers by itself.
  producer.connect().catch((error: Error) => logger.error({ error }, 'producer.connect-failed'));
  const codec = patientCodec(new AvroSerde({ registryUrl: settings.registryUrl, logger }));
  return {
    client,
    producer,
    codec,
    audit: new AuditTrail(producer, codec),
    followTables: (names) =>
      followControlTables(
        names,
        followWith(client, logger, onFatal),
        async (value, record) => (await codec.decode(value, record)).value,
        (table, id, error) => logger.error({ table, id, error }, 'control-row.unreadable'),
      ),
    close: () => producer.close(),
  };
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

function security(settings: PlatformValues) {
  const { kafkaTls, kafkaSaslMechanism, kafkaUsername = '', kafkaPassword = '' } = settings;
  const ssl = kafkaTls === 'off' ? {} : { ssl: kafkaTls === 'on' ? true : { ca: readFileSync(kafkaTls, 'utf8') } };
  if (!kafkaSaslMechanism) return ssl;
  return {
    ...ssl,
    sasl: { mechanism: kafkaSaslMechanism as 'plain', username: kafkaUsername, password: kafkaPassword },
  };
}
