import {
  asIdentifier,
  type Description,
  defineSource,
  readJsonObject,
  type WebhookRequest,
} from '@tributary/connector-kit';
import { domains, publishSource } from '@tributary/contracts';
import { sha256Hex } from '@tributary/domain';
import { toCanonical } from './mapping.js';

export const publish = defineSource({
  slug: publishSource,
  kind: 'internal',
  title: 'Publish API',
  summary: 'Events that your own services publish as CloudEvents.',
  settings: {},
  keptHeaders: ['idempotency-key'],
  events: domains.map((domain) => `${domain}.*.*`),
  promises: { ordering: 'per-subject', deduplication: 'event-id', retries: 'by the publisher, with the same id' },
  describe,
  translate: toCanonical,
});

/** Of a structured CloudEvent. A missing id has been filled in from Idempotency-Key before this. */
function describe(request: WebhookRequest): Description {
  const body = readJsonObject(request.body);
  if (!body.ok) return { kind: 'malformed', code: body.code, reason: body.reason };
  const eventType = asIdentifier(body.value.type);
  if (!eventType) return { kind: 'malformed', code: 'type-missing', reason: 'type is missing' };
  const eventId = asIdentifier(body.value.id) ?? sha256Hex(request.body);
  return { kind: 'event', eventId, eventType, subject: asIdentifier(body.value.subject) ?? eventId };
}
