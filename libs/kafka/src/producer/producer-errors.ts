import { PlatformError } from '@tributary/domain';

/** More waits to be sent than the producer may hold. Nothing was sent. */
export class ProducerQueueFull extends PlatformError {
  readonly code = 'PRODUCER_QUEUE_FULL';
  readonly retryable = true;

  constructor(queuedRecords: number, queuedBytes: number) {
    super(
      `the producer already holds ${queuedRecords} records (${queuedBytes} bytes): Kafka is slower than the writers`,
    );
  }
}

/**
 * Kafka did not acknowledge in time. `sent` false: the record was never handed over and will not arrive. `sent` true: it was in
 * a request without an answer, so it may or may not arrive.
 */
export class ProduceDeadlineExceeded extends PlatformError {
  readonly code = 'PRODUCE_DEADLINE_EXCEEDED';
  readonly retryable = true;

  constructor(
    readonly topic: string,
    deadlineMs: number,
    readonly sent: boolean,
    cause?: unknown,
  ) {
    const fate = sent ? 'it may still arrive' : 'it was not sent';
    super(`Kafka did not acknowledge a record for ${topic} within ${deadlineMs} ms; ${fate}. Is the broker up?`, {
      cause,
    });
  }
}

/** The broker knows no such topic. */
export class UnknownTopic extends PlatformError {
  readonly code = 'UNKNOWN_TOPIC';
  readonly retryable = true;

  constructor(readonly topic: string) {
    super(`topic ${topic} does not exist: create it with \`tributary topics apply\``);
  }
}

/** The broker will never take this record as it is. */
export class RecordRefused extends PlatformError {
  readonly code = 'RECORD_REFUSED';
  readonly retryable = false;

  constructor(
    readonly topic: string,
    readonly reason: string,
    cause?: unknown,
  ) {
    super(`the broker refuses a record for ${topic}: ${reason}`, { cause });
  }
}

export class ProducerClosed extends PlatformError {
  readonly code = 'PRODUCER_CLOSED';
  readonly retryable = true;

  constructor(readonly topic: string) {
    super(`the producer is closed: a record for ${topic} was not acknowledged`);
  }
}

/** The process writes a topic that its access does not name: in a cluster that checks rights it would be refused there. */
export class UndeclaredTopic extends PlatformError {
  readonly code = 'UNDECLARED_TOPIC';
  readonly retryable = false;

  constructor(readonly topic: string) {
    super(
      `this process may not write ${topic}: add the topic to "writes" in the access.ts of the app, or do not write it`,
    );
  }
}
