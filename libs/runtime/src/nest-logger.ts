import type { LoggerService } from '@nestjs/common';
import type { Logger } from '@tributary/telemetry';

/** Nest's own lines in our format. They tell of wiring, so the ordinary ones are for debugging. */
export function nestLogger(logger: Logger): LoggerService {
  const line = (context: unknown) => ({ component: 'nest', context });
  return {
    log: (message: unknown, context?: unknown) => logger.debug(line(context), String(message)),
    debug: (message: unknown, context?: unknown) => logger.debug(line(context), String(message)),
    verbose: (message: unknown, context?: unknown) => logger.debug(line(context), String(message)),
    warn: (message: unknown, context?: unknown) => logger.warn(line(context), String(message)),
    error: (message: unknown, stack?: unknown, context?: unknown) =>
      logger.error({ ...line(context), stack }, String(message)),
    fatal: (message: unknown, stack?: unknown, context?: unknown) =>
      logger.fatal({ ...line(context), stack }, String(message)),
  };
}
