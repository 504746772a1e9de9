import { type Person, RetirementLog } from '@tributary/operations';
import { type OpenDataKeys, RetiredRows } from '@tributary/persistence';
import { CommandFailure } from '../run.js';
import type { Session } from '../session.js';

/** @throws CommandFailure without the ledger's keys. */
export function heldKeysOf(session: Session): OpenDataKeys {
  const held = session.heldKeys;
  if (held) return held;
  throw new CommandFailure(
    "set LEDGER_KEYS_FILE to the ledger's key file (and KEYS_DATABASE_URL, where the data keys are not beside the ledger)",
  );
}

/** A reason is kept when the person is forgotten. @throws CommandFailure when it is empty or names the subject. */
export function reasonAbout({ reason, subject }: Partial<Person> & { readonly reason: string }): string {
  if (reason.trim() === '') throw new CommandFailure('--reason is empty; say why, for those who read the audit trail');
  if (subject !== undefined && reason.toLowerCase().includes(subject.toLowerCase())) {
    throw new CommandFailure('--reason names the subject, and is kept when the subject is forgotten: say it without');
  }
  return reason;
}

export const retirementLogOf = (session: Session): RetirementLog =>
  new RetirementLog({ rows: new RetiredRows(session.database), audit: session.platform.audit, nowMs: Date.now });
