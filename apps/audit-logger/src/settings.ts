import { databaseSettings, integer, ledgerKeySettings } from '@tributary/config';

export const auditLoggerSettings = {
  ...databaseSettings,
  ...ledgerKeySettings,
  concurrency: integer(
    'CONCURRENCY',
    'Audit records in memory at the same time: the largest batch that can form.',
    4000,
    1,
  ),
} as const;
