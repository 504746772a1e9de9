import { flag, integer, kekSettings, list, text } from '@tributary/config';

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
  concurrency: integer('CONCURRENCY', "Attempts at the same time; 0 for the destination's own limit.", 0),
} as const;
