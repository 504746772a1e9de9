import {
  cloudEventHeaders as ce,
  deliveryHeaders,
  errorHeaders,
  originHeaders,
  redriveHeaders,
  retryHeaders,
} from '@tributary/contracts';
import type { IncomingRecord } from '@tributary/kafka';
import type { DeadLetterAct } from '@tributary/persistence';

/** Where an operator stands with a dead letter. `unfinished`: an act was begun and its end is not known; it may be taken up again. */
export const deadLetterStates = ['open', 'unfinished', 'redriven', 'discarded'] as const;
export type DeadLetterState = (typeof deadLetterStates)[number];

export interface DeadLetter {
  /** `<topic>/<partition>/<offset>`: what commands take. */
  readonly id: string;
  readonly record: IncomingRecord;
  readonly state: DeadLetterState;
  /** What was done to it, or begun. */
  readonly act: DeadLetterAct | undefined;
}

export class NotADeadLetter extends Error {
  override readonly name = 'NotADeadLetter';
}

export interface DeadLetterPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export const idOf = ({ topic, partition, offset }: Pick<IncomingRecord, 'topic' | 'partition' | 'offset'>): string =>
  `${topic}/${partition}/${offset}`;

/** @throws NotADeadLetter */
export function parseId(id: string): DeadLetterPlace {
  const match = /^([^/\s]+\.dlt)\/(\d{1,9})\/(\d{1,15})$/.exec(id);
  if (!match) throw new NotADeadLetter(`${id} is not the id of a dead letter: <topic>.dlt/<partition>/<offset>`);
  return { topic: match[1] ?? '', partition: Number(match[2]), offset: Number(match[3]) };
}

/** What audit records call it. */
export const deadLetterEntity = (id: string): string => `dead-letter:${id}`;

export function stateOf(act: DeadLetterAct | undefined): DeadLetterState {
  if (!act) return 'open';
  return act.doneAt ? act.act : 'unfinished';
}

/** How often it was redriven before it died this time. */
export const redrivesOf = ({ headers }: IncomingRecord): number => Number(headers[redriveHeaders.count]) || 0;

export type DeadLetterSummary = ReturnType<typeof summaryOf>;

/** What a person wants to see of a dead letter in one line. */
export function summaryOf({ id, state, record }: DeadLetter) {
  const { headers } = record;
  return {
    id,
    state,
    at: new Date(record.timestampMs).toISOString(),
    class: headers[errorHeaders.class] ?? '',
    code: headers[errorHeaders.code] ?? '',
    stage: headers[errorHeaders.stage] ?? '',
    reason: headers[errorHeaders.message] ?? '',
    fingerprint: headers[errorHeaders.fingerprint] ?? '',
    attempts: headers[retryHeaders.attempt] ?? '',
    redrives: redrivesOf(record),
    event: headers[ce.id] ?? '',
    connection: headers[deliveryHeaders.connectionId] ?? '',
    key: record.key?.toString('utf8') ?? '',
    origin: `${headers[originHeaders.topic] ?? ''}/${headers[originHeaders.partition] ?? ''}/${headers[originHeaders.offset] ?? ''}`,
  };
}
