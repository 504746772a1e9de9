import { type AuditRecord, topicFamilies } from '@tributary/contracts';
import { type AcceptedFacts, acceptedRecord } from '@tributary/domain';

/** What the normalizer tells of the raw record at that offset; a test says only what matters to it. */
export const anAcceptedRecord = (offset: number, facts: Partial<AcceptedFacts> = {}): AuditRecord =>
  acceptedRecord({
    actor: 'normalizer/1',
    occurredAtMs: Date.UTC(2026, 0, 15),
    tenant: 'acme',
    eventSource: '/acme/in',
    eventId: `e${offset}`,
    origin: { topic: topicFamilies.raw('gusto').name, partition: 0, offset },
    outcome: 'normalized',
    source: 'gusto',
    connectionId: 'in',
    eventIds: [`e${offset}`],
    payloadDigest: 'd',
    ...facts,
  });
