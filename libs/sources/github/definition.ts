import {
  anySecretMatches,
  asIdentifier,
  type Description,
  decodeHex,
  defineSource,
  equalBytes,
  headerOnce,
  headerValue,
  hmacSha256,
  type SourceConnection,
  secret,
  unsigned,
  type Verification,
  verified,
  type WebhookRequest,
  wrongSignature,
} from '@tributary/connector-kit';
import { sha256Hex } from '@tributary/domain';
import { subjectOf, toCanonical } from './mapping.js';
import { readPayload } from './payload.js';

export const github = defineSource({
  slug: 'github',
  title: 'GitHub',
  summary: 'Issues, pull requests and pushes.',
  settings: {},
  secrets: { webhook: secret('Secret of the webhook.') },
  keptHeaders: ['x-github-event', 'x-github-delivery', 'x-github-hook-id'],
  events: ['work.issue.*', 'work.pull-request.*', 'work.push.pushed'],
  promises: { ordering: 'none', deduplication: 'event-id', retries: 'none: redelivery is asked for by hand' },
  limits: { answerWithinMs: 10_000 },
  verify,
  describe,
  translate: toCanonical,
});

const scheme = 'sha256=';

// The older X-Hub-Signature is SHA-1 and is not looked at: accepting it would make the weaker scheme the real one.
function verify(request: WebhookRequest, { secrets }: SourceConnection): Verification {
  const header = headerOnce(request, 'x-hub-signature-256');
  if (!header.ok) return header.refusal;
  const given = header.value.startsWith(scheme) ? decodeHex(header.value.slice(scheme.length), 32) : undefined;
  if (!given) return unsigned('signature-unreadable', 'the signature is not sha256= and 64 hex digits');
  const matches = (key: string) => equalBytes(hmacSha256(key, [request.body]), given);
  return anySecretMatches(secrets.webhook, matches) ? verified : wrongSignature;
}

function describe(request: WebhookRequest): Description {
  const event = asIdentifier(headerValue(request, 'x-github-event'));
  if (!event) return { kind: 'refused', status: 400, code: 'type-missing', reason: 'x-github-event is missing' };
  const body = readPayload(request.body, headerValue(request, 'content-type') ?? '');
  if (!body.ok) return { kind: 'malformed', code: body.code, reason: body.reason };
  const action = asIdentifier(body.value.action);
  const eventId = asIdentifier(headerValue(request, 'x-github-delivery')) ?? sha256Hex(request.body);
  return {
    kind: 'event',
    eventId,
    eventType: action ? `${event}.${action}` : event,
    subject: subjectOf(body.value) ?? eventId,
  };
}
