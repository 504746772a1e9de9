import { databaseSettings, integer, optionalLedgerKeySettings } from '@tributary/config';

export const consoleSettings = {
  ...databaseSettings,
  ...optionalLedgerKeySettings,
  keyRate: integer('KEY_RATE', 'Questions a second that one API key may ask; 0 for no limit.', 20),
  connections: integer('DATABASE_CONNECTIONS', 'Questions that are answered at the same time.', 8, 1),
} as const;
