/** So many may be in use at the same time; who comes later waits, first come, first served. */
export class Places {
  private used = 0;
  private readonly queue: Array<() => void> = [];
  private freed = Promise.withResolvers<void>();

  constructor(private readonly count: number) {}

  get areUsed(): boolean {
    return this.used > 0;
  }

  /** Resolves when the next place is given back. */
  get nextFreed(): Promise<void> {
    return this.freed.promise;
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    await this.take();
    try {
      return await work();
    } finally {
      this.giveBack();
    }
  }

  private async take(): Promise<void> {
    if (this.used < this.count) this.used += 1;
    else await new Promise<void>((resolve) => this.queue.push(resolve));
  }

  private giveBack(): void {
    const next = this.queue.shift();
    // In a later turn of the event loop: work that never waits must not keep everybody else from theirs.
    if (next) setImmediate(next);
    else this.used -= 1;
    this.freed.resolve();
    this.freed = Promise.withResolvers();
  }
}
