import type { CustomTransportStrategy } from '@nestjs/microservices';
import { BaseRpcContext, type MessageHandler, Server } from '@nestjs/microservices';
import type { TopicDefinition } from '@tributary/contracts';
import { lastValueFrom } from 'rxjs';
import type { KafkaClient } from '../connection/client.js';
import { type Clock, systemClock } from '../connection/clock.js';
import type { Logger } from '../connection/logger.js';
import { AttemptTiming } from '../consumer/attempt-timing.js';
import { ConsumerRuntime } from '../consumer/consumer-runtime.js';
import { KafkaJsDriver } from '../consumer/kafkajs-driver.js';
import type {
  ConsumeOptions,
  OfBatches,
  RecordHandler,
  RuntimeObserver,
  RuntimeSnapshot,
} from '../consumer/runtime-options.js';
import type { RecordProducer } from '../producer/record-producer.js';
import { type BoundSubscription, checkSubscriptions, type ExpectedSubscription } from './boot-check.js';
import { BindRequest, type ConsumesExtras, kafkaRuntimeTransport, type Subscription } from './consumes.js';

export interface KafkaRuntimeServerOptions {
  readonly client: KafkaClient;
  /** Writes dead letters; connected and closed by its owner, after this server is closed. */
  readonly producer: RecordProducer;
  readonly logger: Logger;
  readonly observer?: RuntimeObserver;
  readonly clock?: Clock;
  /** A consumer is dead for good: the process should end with an error. */
  readonly onFatal: (error: Error) => void;
  /** What this process must consume; checked at start-up. */
  readonly expected?: readonly ExpectedSubscription[];
  /** Every topic of the deployment; checked at start-up. */
  readonly catalogue?: readonly TopicDefinition[];
  /** How long `close` waits for records in flight. Default 20 s. */
  readonly stopDeadlineMs?: number;
}

interface Binding {
  readonly subscription: Subscription;
  readonly topics: readonly TopicDefinition[];
  readonly options: ConsumeOptions;
  readonly handler: RecordHandler | OfBatches;
}

const defaultStopDeadlineMs = 20_000;

/** Nest transport that runs one `ConsumerRuntime` per `@Consumes`. */
export class KafkaRuntimeServer extends Server implements CustomTransportStrategy {
  override transportId = kafkaRuntimeTransport;
  readonly runtimes: ConsumerRuntime[] = [];

  constructor(private readonly settings: KafkaRuntimeServerOptions) {
    super();
  }

  /** Checks and starts all consumers. Kafka need not be up: `isReady` tells when they have their partitions. */
  listen(done: (error?: unknown, ...rest: unknown[]) => unknown): void {
    this.start().then(
      () => done(),
      (error: unknown) => done(error),
    );
  }

  /** Finishes what is in flight, commits, leaves the groups. */
  async close(): Promise<void> {
    const deadlineMs = this.settings.stopDeadlineMs ?? defaultStopDeadlineMs;
    await Promise.all(this.runtimes.map((runtime) => runtime.stop({ deadlineMs })));
  }

  /** Every consumer has joined its group. */
  isReady(): boolean {
    return this.runtimes.length > 0 && this.runtimes.every(({ state }) => state === 'ready');
  }

  snapshot(): RuntimeSnapshot[] {
    return this.runtimes.map((runtime) => runtime.snapshot());
  }

  /** Opens a scope that a `suspend` closed, in all runtimes of the process. */
  resumeScope(scope: string): boolean {
    return this.runtimes.map((runtime) => runtime.resumeScope(scope)).includes(true);
  }

  override on(): never {
    throw new Error('this transport has no events; use the observer');
  }

  override unwrap<T>(): T {
    return this.runtimes as T;
  }

  private async start(): Promise<void> {
    const bindings: Binding[] = [];
    for (const handler of this.messageHandlers.values()) bindings.push(await bind(handler));
    checkSubscriptions({
      bound: bindings.flatMap(boundSubscriptions),
      ...(this.settings.expected && { expected: this.settings.expected }),
      ...(this.settings.catalogue && { catalogue: this.settings.catalogue }),
    });
    for (const binding of bindings) this.runtimes.push(this.runtimeOf(binding));
    for (const runtime of this.runtimes) void runtime.start();
  }

  /** Only somebody who looks at it pays for it. */
  private watched(handler: Binding['handler'], options: ConsumeOptions): Binding['handler'] {
    const { observer, clock = systemClock } = this.settings;
    if (!observer?.started || typeof handler !== 'function') return handler;
    const onStarted = observer.started.bind(observer);
    return new AttemptTiming({ clock, options, onStarted }).watch(handler);
  }

  private runtimeOf({ topics, options, handler }: Binding): ConsumerRuntime {
    const { client, producer, logger, observer, onFatal, clock = systemClock } = this.settings;
    const names = topics.map(({ name }) => name);
    const driver = new KafkaJsDriver({
      client,
      group: options.group,
      topics: names,
      clock,
      logger,
      pairsTopics: options.retries !== undefined,
      ...(options.gatherBytes !== undefined && { minBytes: options.gatherBytes }),
      ...(options.fetchSpacing && { fetchSpacing: options.fetchSpacing }),
      ...(observer && { observer }),
    });
    return new ConsumerRuntime({
      driver,
      producer,
      topics,
      options,
      handler: this.watched(handler, options),
      clock,
      logger,
      onFatal,
      ...(observer && { observer }),
    });
  }
}

async function bind(handler: MessageHandler): Promise<Binding> {
  const { subscription } = handler.extras as unknown as ConsumesExtras;
  const request = new BindRequest();
  const answer = await handler(request, new BaseRpcContext([]));
  if (answer) await lastValueFrom(answer, { defaultValue: undefined });
  if (!request.handler) {
    throw new Error(
      `${subscription.handlerName} could not be bound: it must not be request-scoped, nor stand behind a global guard, pipe or interceptor`,
    );
  }
  const topics = subscription.topics(request.consumer as never);
  return {
    subscription,
    topics: Array.isArray(topics) ? topics : [topics as TopicDefinition],
    options: subscription.options(request.consumer as never),
    handler: request.handler,
  };
}

const boundSubscriptions = ({ topics, options, subscription }: Binding): BoundSubscription[] =>
  topics.map((topic) => ({ group: options.group, topic, handlerName: subscription.handlerName }));
