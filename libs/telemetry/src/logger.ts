import { destination, type Logger as Pino, pino } from 'pino';

/** Structured JSON lines on standard output. Never secrets, never bodies. */
export type Logger = Pick<Pino, 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'child'>;

export interface LoggerOptions {
  readonly service: string;
  readonly instance: string;
  readonly level: string;
}

/** Paths that are blanked should a secret ever reach a log call; the rule is still not to pass one. */
const redacted = ['*.secrets', '*.secret', '*.password', '*.authorization', 'headers.authorization', 'headers.cookie'];

export function createLogger({ service, instance, level }: LoggerOptions): Logger {
  const options = {
    level,
    base: { service, instance },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: redacted, censor: 'redacted' },
    messageKey: 'message',
    errorKey: 'error',
  };
  // Written before the call returns: handed to the thread pool, the last lines of a process came out of order, or not at all.
  return pino(options, destination({ dest: process.stdout.fd, sync: true }));
}
