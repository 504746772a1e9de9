import { type Failure, PlatformError } from '@tributary/domain';
import { errorFields, type Logger } from '../connection/logger.js';
import { whereIs } from './dead-letters.js';
import type { KeyScheduler } from './key-scheduler.js';
import type { Entry } from './owned-partition.js';

const firstPutBackMs = 1_000;
const longestPutBackMs = 30_000;

/** Something the handler needs does not answer. That says nothing about the record, so it waits as long as it takes. */
export function putBack(
  entry: Entry,
  error: PlatformError,
  { logger, scheduler }: { readonly logger: Logger; readonly scheduler: Pick<KeyScheduler, 'hold'> },
): void {
  entry.faults += 1;
  const delayMs = Math.min(firstPutBackMs * 2 ** (entry.faults - 1), longestPutBackMs);
  const line = { ...errorFields(error), ...whereIs(entry.record), code: error.code, delayMs };
  logger[entry.faults === 1 ? 'warn' : 'debug'](line, 'record.put-back');
  scheduler.hold(entry, delayMs, `${error.code}: ${error.message}`);
}

/** True: the partition is gone or was given up, so the result of the attempt does not count, and its place is free again. */
export function isLate(
  entry: Entry,
  {
    scheduler,
    noteIdle,
  }: { readonly scheduler: Pick<KeyScheduler, 'release' | 'dispatch'>; readonly noteIdle: () => void },
): boolean {
  if (entry.owner.isOwned) return false;
  scheduler.release(entry);
  noteIdle();
  scheduler.dispatch();
  return true;
}

/** A handler that throws what is not worth a retry is at fault, or its record is: the record goes to the dead-letter topic. */
export function mistakeOf(error: unknown): Failure {
  const code = error instanceof PlatformError ? error.code : error instanceof Error ? error.name : typeof error;
  const reason = error instanceof Error ? error.message : String(error);
  return { errorClass: 'invalid', code, reason, stage: 'handler' };
}
