import { type AuditRecord, cloudEventHeaders as ce, deliveryHeaders, originHeaders } from '@tributary/contracts';
import { operatedRecord, sha256Hex } from '@tributary/domain';
import type { IncomingRecord, OutgoingRecord } from '@tributary/kafka';
import { type DeadLetter, deadLetterEntity } from './dead-letter.js';

/** An operator's act on a dead letter. */
export interface AuditRecordFacts {
  readonly action: 'redriven' | 'discarded';
  readonly letter: DeadLetter;
  readonly actor: string;
  readonly reason: string;
  readonly identity: string;
  /** What died, and what was sent in its stead. */
  readonly correction?: { readonly before: IncomingRecord; readonly after: OutgoingRecord };
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
    subject: headers[ce.subject],
    deliveryId: headers[deliveryHeaders.deliveryId],
    connectionId: headers[deliveryHeaders.connectionId],
    details: {
      ...(facts.action === 'redriven' && { redriveId: facts.identity }),
      ...(facts.correction && correctionDetails(facts.correction)),
    },
    ...(topic && {
      origin: {
        topic,
        partition: Number(headers[originHeaders.partition]),
        offset: BigInt(headers[originHeaders.offset] ?? '-1'),
      },
    }),
  });
}

/** Digests, never values: the audit trail outlives what it is about. */
function correctionDetails({ before, after }: NonNullable<AuditRecordFacts['correction']>): Record<string, string> {
  const names = Object.keys({ ...before.rawHeaders, ...after.headers });
  const changed = names.filter(
    (name) => !/^x-/i.test(name) && String(before.rawHeaders[name] ?? '') !== String(after.headers?.[name] ?? ''),
  );
  return {
    edited: 'true',
    valueDigestBefore: sha256Hex(before.value ?? ''),
    valueDigest: sha256Hex(after.value ?? ''),
    headersChanged: changed.sort().join(','),
  };
}

export interface AcceptedOffsets {
  readonly group: string;
  readonly offsets: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[];
  readonly actor: string;
  readonly reason: string;
}

/** An operator's decision to go on without the completion maps of these offsets. */
export function offsetsAccepted({ group, offsets, actor, reason }: AcceptedOffsets, nowMs: number): AuditRecord {
  const list = offsets.map(({ topic, partition, offset }) => `${topic}/${partition}/${offset}`);
  return operatedRecord({
    action: 'offsets-accepted',
    entity: `group:${group}`,
    reason,
    actor,
    occurredAtMs: nowMs,
    identity: [String(nowMs), ...list].join(' '),
    details: { offsets: list.join(' ') },
  });
}
