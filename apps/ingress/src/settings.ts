import { integer, kekSettings } from '@tributary/config';

export const ingressSettings = {
  ...kekSettings,
  bodyLimitBytes: integer('BODY_LIMIT_BYTES', 'Largest request body, in bytes.', 1024 * 1024, 1024),
  produceDeadlineMs: integer(
    'PRODUCE_DEADLINE_MS',
    'Longest wait for Kafka before a request is answered 503, in milliseconds; below 2000, so that senders hear in time.',
    1500,
    100,
  ),
  connectionRate: integer(
    'CONNECTION_RATE',
    'Requests a second that one connection, or one API key that publishes, may send; 0 for no limit.',
    1000,
  ),
} as const;
