import {
  anySecretMatches,
  asIdentifier,
  asObject,
  choice,
  type Description,
  decodeBase64,
  defineSource,
  headerOnce,
  outsideWindow,
  readJsonObject,
  type SourceConnection,
  secret,
  unacceptable,
  unsigned,
  type Verification,
  verified,
  type WebhookRequest,
  wrongSignature,
} from '@tributary/connector-kit';
import { domains } from '@tributary/contracts';
import { sha256Hex } from '@tributary/domain';
import { keyMatches, type OfferedSignature, problemOfKey } from './keys.js';
import { toCanonical } from './mapping.js';

const domainSettings = {
  domain: choice('Domain that the events of this sender belong to.', domains, 'work'),
};

export const standardWebhooks = defineSource({
  slug: 'standard-webhooks',
  title: 'Standard Webhooks',
  summary: 'Any sender that signs by the Standard Webhooks specification, Svix included.',
  settings: domainSettings,
  secrets: {
    webhook: secret('Signing secret (whsec_) or public key (whpk_).', { check: problemOfKey }),
  },
  keptHeaders: ['webhook-id', 'webhook-timestamp', 'svix-id', 'svix-timestamp'],
  events: domains.map((domain) => `${domain}.*.*`),
  promises: { ordering: 'none', deduplication: 'event-id', retries: 'over 28 to 75 hours, by the sender' },
  limits: { answerWithinMs: 15_000 },
  verify,
  describe,
  translate: toCanonical,
});

type Prefix = 'svix' | 'webhook';

/** Svix senders may use their own names; a whole set of those counts first. */
function prefixOf({ headers }: WebhookRequest): Prefix {
  return ['svix-id', 'svix-timestamp', 'svix-signature'].every((name) => headers.has(name)) ? 'svix' : 'webhook';
}

function verify(request: WebhookRequest, { secrets }: SourceConnection<typeof domainSettings>): Verification {
  const prefix = prefixOf(request);
  const id = headerOnce(request, `${prefix}-id`);
  if (!id.ok) return id.refusal;
  const timestamp = headerOnce(request, `${prefix}-timestamp`);
  if (!timestamp.ok) return timestamp.refusal;
  const offered = offeredSignatures(request.headers.get(`${prefix}-signature`) ?? []);
  if (offered.length === 0)
    return unsigned('signature-missing', `${prefix}-signature holds no readable v1 or v1a signature`);
  const signed = [`${id.value}.${timestamp.value}.`, request.body];
  if (!anySecretMatches(secrets.webhook, (key) => keyMatches(key, offered, signed))) return wrongSignature;
  // A full stop in the id would let one signature stand for two different splits of the signed text.
  if (id.value.includes('.')) return unacceptable('id-invalid', `${prefix}-id contains a full stop`);
  return outsideWindow(timestamp.value, request.receivedAtMs) ?? verified;
}

const mostSignatures = 16;

/** `v1,<base64> v1a,<base64>`: a list, so a repeated header only lengthens it. Unknown versions are skipped. */
function offeredSignatures(values: readonly string[]): readonly OfferedSignature[] {
  const items = values.flatMap((value) => value.split(/\s+/)).slice(0, mostSignatures);
  return items.flatMap((item) => {
    const [version, encoded = ''] = item.split(',', 2);
    const bytes = encoded === '' ? undefined : decodeBase64(encoded);
    return (version === 'v1' || version === 'v1a') && bytes ? [{ version, bytes } as const] : [];
  });
}

function describe(request: WebhookRequest): Description {
  const body = readJsonObject(request.body);
  if (!body.ok) return { kind: 'malformed', code: body.code, reason: body.reason };
  const eventType = asIdentifier(body.value.type);
  if (!eventType) return { kind: 'malformed', code: 'type-missing', reason: 'type is missing' };
  const eventId = asIdentifier(request.headers.get(`${prefixOf(request)}-id`)?.[0]) ?? sha256Hex(request.body);
  return { kind: 'event', eventId, eventType, subject: asIdentifier(asObject(body.value.data)?.id) ?? eventId };
}
