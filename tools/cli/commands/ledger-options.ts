import { isId } from '@tributary/domain';
import { type Person, RetirementLog } from '@tributary/operations';
import { type OpenDataKeys, RetiredRows, SubjectRecords } from '@tributary/persistence';
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

/** Whom a command is about. @throws CommandFailure for a tenant or a subject that no record can have. */
export function checkPerson({ tenant, subject }: Partial<Person>): void {
  if (tenant !== undefined && !isId(tenant))
    throw new CommandFailure(`--tenant is ${JSON.stringify(tenant)}; a tenant is written as [a-z0-9][a-z0-9-]{0,62}`);
  if (subject?.trim() === '')
    throw new CommandFailure('--subject is empty; it is the subject of the events (ce_subject)');
}

/** A reason is kept when the person is forgotten. @throws CommandFailure when it is empty or names the subject. */
export function reasonAbout({ reason, tenant, subject }: Partial<Person> & { readonly reason: string }): string {
  checkPerson({ ...(tenant !== undefined && { tenant }), ...(subject !== undefined && { subject }) });
  if (reason.trim() === '') throw new CommandFailure('--reason is empty; say why, for those who read the audit trail');
  if (subject !== undefined && reason.toLowerCase().includes(subject.toLowerCase())) {
    throw new CommandFailure('--reason names the subject, and is kept when the subject is forgotten: say it without');
  }
  return reason;
}

/** A hold on a misspelt name would keep nothing, and nobody would know until it is too late. */
export async function warnOfUnknown(session: Session, tenant: string, subjectIndex?: Buffer | null): Promise<void> {
  const records = new SubjectRecords(session.database);
  if (!(await records.isTenantKnown(tenant)))
    process.stderr.write(`tributary: the ledger has no event of tenant ${tenant}; is it written so?\n`);
  else if (subjectIndex && !(await records.isKnown(subjectIndex)))
    process.stderr.write('tributary: the ledger has nothing about this subject; is it written so?\n');
}

export const retirementLogOf = (session: Session): RetirementLog =>
  new RetirementLog({ rows: new RetiredRows(session.database), audit: session.platform.audit, nowMs: Date.now });
