/** Our own mistakes and broken infrastructure. What a destination answers is never one of these: that is an outcome. */
export abstract class PlatformError extends Error {
  abstract readonly code: string;
  /** True when waiting can help: the record is put back and waits, however long it takes. */
  abstract readonly retryable: boolean;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Infrastructure that a step needs does not answer. Nothing was decided about the record. */
export class InfrastructureUnavailable extends PlatformError {
  readonly code = 'INFRASTRUCTURE_UNAVAILABLE';
  readonly retryable = true;

  constructor(
    readonly dependency: string,
    cause?: unknown,
  ) {
    super(`${dependency} does not answer: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
