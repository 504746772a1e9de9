import { EventPattern } from '@nestjs/microservices';
import type { TopicDefinition } from '@tributary/contracts';
import type { Attempt, BatchHandler, ConsumeOptions, OfBatches, RecordHandler } from '../consumer/runtime-options.js';

/** Routes `@Consumes` handlers to `KafkaRuntimeServer` and to no other transport. */
export const kafkaRuntimeTransport = Symbol('tributary.kafka-runtime');

type OneOrMany = TopicDefinition | readonly TopicDefinition[];

/** What a `@Consumes` says, evaluated when the process starts. */
export interface Subscription {
  /** `RouterConsumer.handle`, for messages. */
  readonly handlerName: string;
  readonly topics: (consumer: never) => OneOrMany;
  /** Given the instance of the consumer's class, whose injected parts the options may use. */
  readonly options: (consumer: never) => ConsumeOptions;
}

/** Passed through Nest once at start-up instead of a record: the decorated method answers with itself, bound to its instance. */
export class BindRequest {
  handler: RecordHandler | OfBatches | undefined;
  consumer: unknown;
}

export interface ConsumesExtras {
  readonly subscription: Subscription;
}

let count = 0;

/**
 * Binds a method `(record, attempt) => Promise<Settlement>` to topics. Nest finds and builds the class; records do not pass through
 * Nest's guards, pipes, interceptors and filters, so results and errors reach the runtime as they are. The class must not be
 * request-scoped.
 *
 * @param topics one or several, or a factory that runs at start-up, for topics that are known only then; it is given the consumer.
 * @param options or a factory that runs at start-up and is given the consumer with its injected parts.
 */
export function Consumes<Consumer = unknown>(
  topics: OneOrMany | ((consumer: Consumer) => OneOrMany),
  options: ConsumeOptions | ((consumer: Consumer) => ConsumeOptions),
): MethodDecorator {
  return bound(topics, options, (method: RecordHandler) => method);
}

/**
 * As `Consumes`, for a method `(records, attempt) => Promise<Map<index, Failure>>` that takes many records of a partition at a
 * time: for records that need no order, and of which there are more than can be looked at singly.
 */
export function ConsumesBatches<Consumer = unknown>(
  topics: OneOrMany | ((consumer: Consumer) => OneOrMany),
  options: ConsumeOptions | ((consumer: Consumer) => ConsumeOptions),
): MethodDecorator {
  return bound(topics, options, (ofBatches: BatchHandler) => ({ ofBatches }));
}

function bound<Consumer, Method extends RecordHandler | BatchHandler>(
  topics: OneOrMany | ((consumer: Consumer) => OneOrMany),
  options: ConsumeOptions | ((consumer: Consumer) => ConsumeOptions),
  marked: (method: Method) => RecordHandler | OfBatches,
): MethodDecorator {
  return (target, key, descriptor) => {
    const method = descriptor.value as unknown as (this: unknown, given: unknown, attempt: Attempt) => unknown;
    const bindable = function (this: unknown, given: unknown, attempt: Attempt) {
      if (!(given instanceof BindRequest)) return method.call(this, given, attempt);
      given.handler = marked(method.bind(this) as Method);
      given.consumer = this;
      return undefined;
    };
    const bindableDescriptor = { ...descriptor, value: bindable };
    const subscription: Subscription = {
      handlerName: `${target.constructor.name}.${String(key)}`,
      topics: typeof topics === 'function' ? topics : () => topics,
      options: typeof options === 'function' ? options : () => options,
    };
    // A pattern of its own for each: topics may be unknown until the process starts.
    count += 1;
    const extras: ConsumesExtras = { subscription };
    EventPattern(`consumes-${count}`, kafkaRuntimeTransport, extras)(target, key, bindableDescriptor as never);
    return bindableDescriptor as unknown as typeof descriptor;
  };
}
