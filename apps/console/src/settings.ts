import { databaseSettings, integer, optionalLedgerKeySettings } from '@tributary/config';

export const consoleSettings = {
  ...databaseSettings,
  ...optionalLedgerKeySettings,
  keyRate: integer('KEY_RATE', 'Questions a second that one API key may ask; 0 for no limit.', 20),
  connections: integer('DATABASE_CONNECTIONS', 'Questions that are answered at the same time.', 8, 1),
  proofSeconds: integer(
    'PROOF_SECONDS',
    'Seconds between two proofs over the recent past, whose result is a metric; 0: no proofs here.',
    300,
  ),
  proofMinutes: integer('PROOF_MINUTES', 'How far back such a proof goes, in minutes.', 60, 1),
  deadLetterSeconds: integer(
    'DEAD_LETTER_SECONDS',
    'Seconds between two looks at how many dead letters are open, which is a metric; 0: none here.',
    30,
  ),
  lagSeconds: integer(
    'LAG_SECONDS',
    'Seconds between two looks at how many records each consumer group has before it, which is a metric; 0: none here.',
    30,
  ),
} as const;
