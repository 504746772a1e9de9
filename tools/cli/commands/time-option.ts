import { timeOf } from '@tributary/operations/audit';

/** The moment that an option names. @throws BadAuditQuestion: a time that reads differently on another machine is none. */
export const timeOption = (option: string, text: string | undefined): Date | undefined =>
  text === undefined ? undefined : new Date(timeOf(option, text));
