/** What this library needs of a logger; the call shape is pino's. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Log fields of anything thrown: the stack stays, a class and code are searchable. */
export function errorFields(error: unknown): { error: string; errorName: string; stack?: string } {
  if (!(error instanceof Error)) return { error: String(error), errorName: typeof error };
  return { error: error.message, errorName: error.name, ...(error.stack !== undefined && { stack: error.stack }) };
}
