import { PlatformError } from '@tributary/domain';

/** The database answers and cannot serve this release: a table or a right is missing. Nothing is wrong with any record. */
export class DatabaseNotReady extends PlatformError {
  readonly code = 'DATABASE_NOT_READY';
  readonly retryable = true;

  constructor(cause: unknown) {
    super(
      `PostgreSQL refuses what this release asks: ${textOf(cause)}; is it migrated (\`tributary database migrate\`)?`,
      {
        cause,
      },
    );
  }
}

/** PostgreSQL will never take these values as they are. */
export class RowRefused extends PlatformError {
  readonly code = 'ROW_REFUSED';
  readonly retryable = false;

  constructor(cause: unknown) {
    super(`PostgreSQL refuses a row: ${textOf(cause)}`, { cause });
  }
}

/** Classes of SQLSTATE that blame the values: data exceptions, broken constraints, limits of an index or a row. */
const blameValues = ['22', '23', '54'];

/**
 * What a stage should think of an error: values that PostgreSQL refuses concern their record, anything else that it
 * says concerns the deployment, and the records wait.
 */
export function forRecords(error: unknown): unknown {
  if (error instanceof PlatformError) return error;
  const { code } = error as { code?: unknown };
  const blamesValues =
    error instanceof RangeError || (typeof code === 'string' && blameValues.includes(code.slice(0, 2)));
  return blamesValues ? new RowRefused(error) : new DatabaseNotReady(error);
}

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
