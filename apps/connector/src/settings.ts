import { flag, integer, kekSettings, list, optionalText, text } from '@tributary/config';

export const connectorSettings = {
  ...kekSettings,
  destination: text('DESTINATION', 'Slug of the destination that this connector serves, for example slack.'),
  egressAllow: list(
    'EGRESS_ALLOW',
    'Networks (CIDR) that may be called although they are loopback or private; for development and tests.',
    { fallback: '' },
  ),
  orderedRetries: flag(
    'ORDERED_RETRIES',
    'Waits above 10 s go to the retry topic and keep the order of their key; false: they hold their lane in memory and a restart forgets them. All instances of a connector must stop before it is changed.',
    true,
  ),
  concurrency: integer(
    'CONCURRENCY',
    'Attempts at the same time, of which one connection gets three quarters at most; 0 for three times what the destination takes of one connection.',
    0,
  ),
  databaseUrl: optionalText(
    'DATABASE_URL',
    'PostgreSQL, as postgres://user:password@host:port/database. Needed for destinations that do not drop repeats: what is about to be sent is written down there first.',
    { secret: true },
  ),
  claimDays: integer('CLAIM_DAYS', 'Days for which a sent delivery is remembered where DATABASE_URL is needed.', 15, 1),
} as const;
