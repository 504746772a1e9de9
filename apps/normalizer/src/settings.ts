import { databaseSettings, integer } from '@tributary/config';

export const normalizerSettings = {
  ...databaseSettings,
  concurrency: integer('CONCURRENCY', 'Raw records handled at the same time.', 256, 1),
  inboxDays: integer('INBOX_DAYS', 'Days for which an event is remembered, so that a repeat is recognised.', 30, 1),
} as const;
