import type { Inbox } from '@tributary/persistence';
import type { Logger } from '@tributary/telemetry';

const everyMs = 10 * 60 * 1000;
const atMostPerStatement = 5_000;

/** Forgets old claims a few at a time, so that the table stays as large as its memory. */
export class InboxCleaner {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly inbox: Inbox,
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
        gone = await this.inbox.forget(this.days, atMostPerStatement);
      }
      if (total > 0) this.logger.info({ claims: total }, 'inbox.cleaned');
    } catch (error) {
      // Nothing is wrong with the pipe; the next round tries again.
      this.logger.warn({ error }, 'inbox.cleaning-failed');
    }
  }
}
