import type { Logger } from '@tributary/telemetry';

export interface RoundsOptions {
  readonly everyMs: number;
  readonly act: () => Promise<void>;
  readonly logger: Pick<Logger, 'warn'>;
  /** In the log, when a round fails. */
  readonly event: string;
}

export interface Rounds {
  /** Waits for the round under way. */
  stop(): Promise<void>;
}

/** One round after the other, with a pause between: a slow one never has a second beside it. A failed one is logged and tried again. */
export function startRounds({ everyMs, act, logger, event }: RoundsOptions): Rounds {
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  const round = async (): Promise<void> => {
    await act().catch((error: unknown) => {
      if (!isStopped) logger.warn({ error }, event);
    });
    if (!isStopped) timer = setTimeout(() => (running = round()), everyMs);
  };
  let running = round();
  return {
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
