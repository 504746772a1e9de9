import { integer } from '@tributary/config';

export const routerSettings = {
  concurrency: integer('CONCURRENCY', 'Events handled at the same time.', 256, 1),
} as const;
