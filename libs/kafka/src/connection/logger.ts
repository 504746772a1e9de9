import { refusalHint } from './kafka-errors.js';

/** What this library needs of a logger; the call shape is pino's. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Log fields of anything thrown: the stack stays, a class and code are searchable. */
export interface ErrorFields {
  readonly error: string;
  readonly errorName: string;
  readonly stack?: string;
  /** What to do about it, where the cause is known. */
  readonly hint?: string;
}

export function errorFields(error: unknown): ErrorFields {
  if (!(error instanceof Error)) return { error: String(error), errorName: typeof error };
  const hint = refusalHint(error);
  return {
    error: error.message,
    errorName: error.name,
    ...(hint !== undefined && { hint }),
    ...(error.stack !== undefined && { stack: error.stack }),
  };
}
