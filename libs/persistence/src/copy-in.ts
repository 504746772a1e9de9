import type { Connection, Submittable } from 'pg';

/** What pg's connection has for COPY; its types leave it out. */
interface CopyConnection extends Connection {
  query(text: string): void;
  endCopyFrom(): void;
}

const copyData = 'd'.charCodeAt(0);
const lengthBytes = 4;

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
    const { stream } = connection;
    stream.cork();
    // As they are: pg's own way to send a chunk copies it first.
    for (const chunk of this.chunks) {
      stream.write(headerOf(chunk));
      stream.write(chunk);
    }
    connection.endCopyFrom();
    stream.uncork();
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

function headerOf(chunk: Buffer): Buffer {
  const header = Buffer.allocUnsafe(1 + lengthBytes);
  header[0] = copyData;
  header.writeUInt32BE(lengthBytes + chunk.length, 1);
  return header;
}
