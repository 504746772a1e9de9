import {
  anySecretMatches,
  asIdentifier,
  type Description,
  decodeHex,
  defineSource,
  equalBytes,
  flag,
  headerOnce,
  hmacSha256,
  readJsonObject,
  type SourceConnection,
  secret,
  unsigned,
  type Verification,
  verified,
  type WebhookRequest,
  wrongSignature,
} from '@tributary/connector-kit';
import { sha256Hex } from '@tributary/domain';
import { toCanonical } from './mapping.js';

const definedSettings = {
  pending: flag('True while Gusto has still to send its verification token: only then is the unsigned token accepted.'),
};

export const gusto = defineSource({
  slug: 'gusto',
  title: 'Gusto',
  summary: 'Employees and payrolls. Events are thin: they name what changed.',
  settings: definedSettings,
  secrets: {
    webhook: secret('Verification token of the webhook subscription; Gusto signs with it.', { optional: true }),
  },
  keptHeaders: [],
  events: ['people.employee.*', 'payroll.payroll.*'],
  promises: { ordering: 'none', deduplication: 'event-id', retries: 'up to 16 times, exponentially' },
  limits: { answerWithinMs: 10_000 },
  verify,
  describe,
  translate: toCanonical,
});

function verify(
  request: WebhookRequest,
  { settings, secrets }: SourceConnection<typeof definedSettings>,
): Verification {
  // The documentation spells the header with underscores.
  const header = headerOnce(request, 'x-gusto-signature', 'x_gusto_signature');
  if (!header.ok) return (settings.pending && handshake(request)) || header.refusal;
  const given = decodeHex(header.value, 32);
  if (!given) return unsigned('signature-unreadable', 'the signature is not 64 hex digits');
  const matches = (token: string) => equalBytes(hmacSha256(token, [request.body]), given);
  return anySecretMatches(secrets.webhook, matches) ? verified : wrongSignature;
}

// Accepting anything more than the token alone would let an unsigned event in.
function handshake(request: WebhookRequest): Verification | undefined {
  const signatures = ['x-gusto-signature', 'x_gusto_signature'].flatMap((name) => request.headers.get(name) ?? []);
  const body = readJsonObject(request.body);
  if (signatures.length > 0 || !body.ok) return undefined;
  if (Object.keys(body.value).length !== 1 || !asIdentifier(body.value.verification_token)) return undefined;
  return {
    kind: 'handshake',
    answer: { status: 200 },
    keep: { eventType: 'verification_token', secretFields: ['verification_token'] },
  };
}

function describe(request: WebhookRequest): Description {
  const body = readJsonObject(request.body);
  if (!body.ok) return { kind: 'malformed', code: body.code, reason: body.reason };
  const eventType = asIdentifier(body.value.event_type);
  if (!eventType) return { kind: 'malformed', code: 'type-missing', reason: 'event_type is missing' };
  // Older versions of the API send no uuid.
  const eventId = asIdentifier(body.value.uuid) ?? sha256Hex(request.body);
  const subject = asIdentifier(body.value.entity_uuid) ?? asIdentifier(body.value.resource_uuid) ?? eventId;
  return { kind: 'event', eventId, eventType, subject };
}
