import type { IncomingRecord } from '@tributary/kafka';

/** Where an operator stands with a dead letter. */
export type DeadLetterState = 'open' | 'redriven' | 'discarded';

export interface DeadLetter {
  /** `<topic>/<partition>/<offset>`: what commands take. */
  readonly id: string;
  readonly record: IncomingRecord;
  readonly state: DeadLetterState;
}

/** What audit records call it. */
export const deadLetterEntity = (id: string): string => `dead-letter:${id}`;
