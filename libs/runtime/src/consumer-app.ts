import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { KafkaRuntimeServer, type RuntimeObserver } from '@tributary/kafka';
import { allTopics } from '@tributary/registry/topics';
import type { Metrics } from '@tributary/telemetry';
import { nestLogger } from './nest-logger.js';
import type { Platform } from './platform.js';
import type { RunningService, ServiceContext } from './run-service.js';

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
  });
  onServer?.(server);
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(module, {
    strategy: server,
    logger: nestLogger(logger),
    abortOnError: false,
  });
  await app.listen();
  observeSnapshot(metrics, server);
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

function observerFor(metrics: Metrics): RuntimeObserver {
  return {
    attempted: ({ group, topic, settlement, durationMs }) => {
      metrics.add('records.settled', 1, { group, topic, settlement });
      metrics.record('messaging.process.duration', durationMs / 1000, { group, topic });
    },
    committed: ({ group }) => metrics.add('commits', 1, { group, result: 'acknowledged' }),
    commitFailed: ({ group }) => metrics.add('commits', 1, { group, result: 'failed' }),
    deadLettered: ({ group, topic, failure }) =>
      metrics.add('records.dead_lettered', 1, { group, topic, error_class: failure.errorClass }),
  };
}

function observeSnapshot(metrics: Metrics, server: KafkaRuntimeServer): void {
  const perPartition = (read: (partition: Snapshot['partitions'][number]) => number) =>
    server
      .snapshot()
      .flatMap(({ group, partitions }) =>
        partitions.map((one) => [read(one), { group, topic: one.topic, partition: String(one.partition) }] as const),
      );
  metrics.observe('window.records', () => perPartition((one) => one.windowRecords));
  metrics.observe('window.oldest.age', () =>
    perPartition((one) =>
      one.oldestUnfinishedMs === undefined ? 0 : Math.max(0, Date.now() - one.oldestUnfinishedMs) / 1000,
    ),
  );
  metrics.observe('lanes.held', () => server.snapshot().map(({ group, heldLanes }) => [heldLanes.length, { group }]));
  metrics.observe('gates.closed', () => server.snapshot().map(({ group, gates }) => [gates.length, { group }]));
  metrics.observe('partitions.paused', () =>
    server.snapshot().flatMap(({ group, pauses }) => {
      const byReason = new Map<string, number>();
      for (const { reason } of pauses) byReason.set(reason, (byReason.get(reason) ?? 0) + 1);
      return [...byReason].map(([reason, count]) => [count, { group, reason }] as const);
    }),
  );
}

type Snapshot = ReturnType<KafkaRuntimeServer['snapshot']>[number];
