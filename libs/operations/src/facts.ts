import { type AuditRecord, cloudEventHeaders as ce, deliveryHeaders, originHeaders } from '@tributary/contracts';
import { operatedRecord } from '@tributary/domain';
import { type DeadLetter, deadLetterEntity } from './dead-letter.js';

/** An operator's act on a dead letter. */
export interface AuditRecordFacts {
  readonly action: 'redriven' | 'discarded';
  readonly letter: DeadLetter;
  readonly actor: string;
  readonly reason: string;
  readonly identity: string;
}

export function auditOf(facts: AuditRecordFacts, nowMs: number): AuditRecord {
  const { headers } = facts.letter.record;
  const topic = headers[originHeaders.topic];
  return operatedRecord({
    action: facts.action,
    entity: deadLetterEntity(facts.letter.id),
    reason: facts.reason,
    actor: facts.actor,
    occurredAtMs: nowMs,
    identity: facts.identity,
    tenant: headers[ce.tenant],
    eventSource: headers[ce.source],
    eventId: headers[ce.id],
    eventType: headers[ce.type],
    deliveryId: headers[deliveryHeaders.deliveryId],
    connectionId: headers[deliveryHeaders.connectionId],
    ...(topic && {
      origin: {
        topic,
        partition: Number(headers[originHeaders.partition]),
        offset: BigInt(headers[originHeaders.offset] ?? '-1'),
      },
    }),
  });
}
