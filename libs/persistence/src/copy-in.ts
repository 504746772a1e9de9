import type { Connection, Submittable } from 'pg';

/** What pg's connection has for COPY; its types leave it out. */
interface CopyConnection extends Connection {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/** `COPY … FROM STDIN` of bytes that are in memory. Give it to `client.query` and await `done`. */
export class CopyIn implements Submittable {
  private readonly settled = Promise.withResolvers<void>();
  private failure: Error | undefined;
  /** pg replaces it, to end the time limit that it sets for every query. */
  callback: (error?: Error) => void = () => undefined;

  constructor(
    private readonly statement: string,
    private readonly chunks: readonly Buffer[],
  ) {
    // Who sent it awaits `done` a moment later; a failure until then is not unheard.
    this.settled.promise.catch(() => undefined);
  }

  get done(): Promise<void> {
    return this.settled.promise;
  }

  submit(connection: Connection): void {
    (connection as CopyConnection).query(this.statement);
  }

  handleCopyInResponse(connection: CopyConnection): void {
    for (const chunk of this.chunks) connection.sendCopyFromChunk(chunk);
    connection.endCopyFrom();
  }

  handleCommandComplete(): void {}

  handleError(error: Error): void {
    this.failure ??= error;
    this.finish();
  }

  handleReadyForQuery(): void {
    this.finish();
  }

  private finish(): void {
    this.callback(this.failure);
    if (this.failure) this.settled.reject(this.failure);
    else this.settled.resolve();
  }
}
