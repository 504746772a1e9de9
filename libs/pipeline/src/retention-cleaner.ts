import type { Logger } from '@tributary/telemetry';

export interface Forgetful {
  /** Forgets what is older than so many days, a bounded number at a time. Returns how many went. */
  forget(olderThanDays: number, atMost: number): Promise<number>;
}

const everyMs = 10 * 60 * 1000;
const atMostPerStatement = 5_000;

/** Forgets old rows a few at a time, so that their table stays as large as its memory. */
export class RetentionCleaner {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly table: Forgetful,
    /** Of the table, for the log. */
    private readonly name: string,
    private readonly days: number,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.clean(), everyMs);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async clean(): Promise<void> {
    try {
      let total = 0;
      for (let gone = atMostPerStatement; gone === atMostPerStatement; total += gone) {
        gone = await this.table.forget(this.days, atMostPerStatement);
      }
      if (total > 0) this.logger.info({ table: this.name, rows: total }, 'table.cleaned');
    } catch (error) {
      // Nothing is wrong with the pipe; the next round tries again.
      this.logger.warn({ error, table: this.name }, 'table.cleaning-failed');
    }
  }
}
