import type { ConnectionOptions } from 'node:tls';
import {
  type Admin,
  type Consumer,
  type ConsumerConfig,
  Kafka,
  logLevel,
  type Producer,
  type RetryOptions,
  type SASLOptions,
} from 'kafkajs';
import { kafkaJsLogCreator } from './kafkajs-log.js';
import { applyKafkaJsPatches } from './kafkajs-patches.js';
import type { Logger } from './logger.js';

export interface KafkaConnectionOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl?: boolean | ConnectionOptions;
  readonly sasl?: SASLOptions;
  readonly logger: Logger;
}

/**
 * Makes kafkajs' clients with the settings the rest of this library relies on. Only the drivers in this library call these
 * methods: nothing outside sees kafkajs.
 */
export interface KafkaClient {
  readonly clientId: string;
  readonly logger: Logger;
  newProducer(): Producer;
  newConsumer(config: ConsumerConfig): Consumer;
  newAdmin(): Admin;
}

// kafkajs picks other defaults under NODE_ENV=test, so retries are always explicit. They are few and quick because the loops
// of this library repeat, and report, themselves.
const fewRetries: RetryOptions = { retries: 2, initialRetryTime: 50, maxRetryTime: 500, multiplier: 2, factor: 0.2 };

const connectionTimeoutMs = 2_000;
const requestTimeoutMs = 10_000;
/** A produce request that is not answered by then is sent again on a new connection. */
const produceTimeoutMs = 5_000;

export function createKafka(options: KafkaConnectionOptions): KafkaClient {
  applyKafkaJsPatches();
  const kafka = (requestTimeout: number) =>
    new Kafka({
      brokers: [...options.brokers],
      clientId: options.clientId,
      ...(options.ssl !== undefined && { ssl: options.ssl }),
      ...(options.sasl !== undefined && { sasl: options.sasl }),
      connectionTimeout: connectionTimeoutMs,
      requestTimeout,
      retry: fewRetries,
      logLevel: logLevel.WARN,
      logCreator: kafkaJsLogCreator(options.logger),
    });
  return {
    clientId: options.clientId,
    logger: options.logger,
    newProducer: () =>
      kafka(produceTimeoutMs).producer({
        idempotent: true,
        allowAutoTopicCreation: false,
        retry: fewRetries,
        // The partition is chosen by us before the first attempt: an idempotent retry must not choose again.
        createPartitioner:
          () =>
          ({ message, topic }) => {
            if (message.partition !== undefined) return message.partition;
            throw new Error(`record for ${topic} reached the client without a partition`);
          },
      }),
    newConsumer: (config) => kafka(requestTimeoutMs).consumer({ retry: fewRetries, ...config }),
    newAdmin: () => kafka(requestTimeoutMs).admin({ retry: fewRetries }),
  };
}
