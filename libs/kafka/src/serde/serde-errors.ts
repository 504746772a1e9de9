import { PlatformError } from '@tributary/domain';

/** The registry answers and does not know the schema. */
export class SchemaNotFound extends PlatformError {
  readonly code = 'SCHEMA_NOT_FOUND';
  readonly retryable = false;

  constructor(
    /** Subject, or `id 17`. */
    readonly schema: string,
    cause?: unknown,
  ) {
    super(`schema ${schema} is not registered; register the schemas of this release with \`tributary schemas apply\``, {
      cause,
    });
  }
}

export class RegistryUnavailable extends PlatformError {
  readonly code = 'REGISTRY_UNAVAILABLE';
  readonly retryable = true;

  constructor(url: string, cause?: unknown) {
    super(`the schema registry at ${url} does not answer: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** The bytes are not what their prefix says, or not what the reader asked for. */
export class InvalidAvro extends PlatformError {
  readonly code = 'INVALID_AVRO';
  readonly retryable = false;

  constructor(reason: string, cause?: unknown) {
    super(`not a readable Avro value: ${reason}`, { cause });
  }
}

/** A value of ours does not fit its schema. */
export class InvalidRecordValue extends PlatformError {
  readonly code = 'INVALID_RECORD_VALUE';
  readonly retryable = false;

  constructor(
    readonly recordName: string,
    /** Dotted paths of the fields that do not fit. */
    readonly paths: readonly string[],
    cause?: unknown,
  ) {
    super(`${recordName} does not fit its schema at ${paths.join(', ') || 'the top'}`, { cause });
  }
}
