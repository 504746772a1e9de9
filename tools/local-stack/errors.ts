/** A failure the person at the terminal can act on: its message is printed as it is, without a stack trace. */
export class LocalStackError extends Error {
  override readonly name: string = 'LocalStackError';
}

/** A part ended before it was healthy, or never became healthy. The message carries the end of its log. */
export class PartFailed extends LocalStackError {
  override readonly name = 'PartFailed';
  readonly isPortCollision: boolean;

  constructor(message: string, log: string) {
    super(message);
    this.isPortCollision = /address already in use|BindException|seems to be in use by another process/i.test(log);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
