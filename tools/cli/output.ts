import type { Writable } from 'node:stream';

/** Where answers go. Who reads them may have seen enough, as `head` has: an act goes on then, a long answer ends. */
export class Output {
  private isGone = false;

  constructor(private readonly stream: Writable) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      this.isGone = true;
    });
  }

  /** Waits until it is taken. @returns false when nobody reads any more. */
  write(text: string): Promise<boolean> {
    if (this.isGone) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.stream.write(text, (error) => resolve(!error));
    });
  }
}

export const output = new Output(process.stdout);
