import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import type { TopicAccess } from '@tributary/contracts';
import { type ExpectedSubscription, KafkaRuntimeServer } from '@tributary/kafka';
import { allTopics } from '@tributary/registry/topics';
import { nestLogger } from './nest-logger.js';
import type { Platform } from './platform.js';
import type { RunningService, ServiceContext } from './run-service.js';
import { observeRuntimes, observerFor } from './runtime-metrics.js';

export interface ConsumerAppOptions {
  readonly platform: Platform;
  readonly module: DynamicModule;
  /** Gives the running server to what must reach it, for example to resume a connection. */
  readonly onServer?: (server: KafkaRuntimeServer) => void;
  /** Closed after the consumers, in this order. */
  readonly closeAfter: ReadonlyArray<() => Promise<void>>;
}

/** A Nest microservice on our Kafka transport: consumes until it is stopped. */
export async function startConsumerApp(
  context: Pick<ServiceContext<Record<string, never>>, 'logger' | 'metrics' | 'onFatal' | 'settings'>,
  { platform, module, onServer, closeAfter }: ConsumerAppOptions,
): Promise<RunningService> {
  const { logger, metrics, onFatal, settings } = context;
  const server = new KafkaRuntimeServer({
    client: platform.client,
    producer: platform.producer,
    logger,
    observer: observerFor(metrics),
    onFatal,
    stopDeadlineMs: settings.shutdownMs,
    catalogue: allTopics(),
    ...(platform.access && { expected: expectedOf(platform.access) }),
  });
  onServer?.(server);
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(module, {
    strategy: server,
    logger: nestLogger(logger),
    abortOnError: false,
  });
  await app.listen();
  observeRuntimes(metrics, () => server.snapshot(), Date.now);
  return {
    whyNotReady: () => (server.isReady() ? [] : ['the consumer group has not assigned us our partitions yet']),
    snapshot: () => server.snapshot(),
    stop: async () => {
      await app.close();
      for (const close of closeAfter) await close();
      await platform.close();
    },
  };
}

/** What it may consume it must: a topic that is declared and not read would fill without anybody noticing. */
const expectedOf = ({ group, consumes }: TopicAccess): ExpectedSubscription[] =>
  group === undefined ? [] : consumes.map((topic) => ({ group, topic }));
