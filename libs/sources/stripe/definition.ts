import {
  anySecretMatches,
  asIdentifier,
  asObject,
  type Description,
  decodeHex,
  defineSource,
  equalBytes,
  headerOnce,
  hmacSha256,
  outsideWindow,
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
import { customerOf, toCanonical } from './mapping.js';

export const stripe = defineSource({
  slug: 'stripe',
  title: 'Stripe',
  summary: 'Customers, invoices and payments.',
  settings: {},
  // The key is the whole text, prefix included: it only looks like a Standard Webhooks secret.
  secrets: { webhook: secret('Signing secret of the endpoint. Starts with whsec_.') },
  keptHeaders: [],
  events: ['billing.customer.*', 'billing.invoice.*', 'billing.payment.*'],
  promises: { ordering: 'none', deduplication: 'event-id', retries: 'up to 3 days, exponentially' },
  limits: { answerWithinMs: 10_000 },
  verify,
  describe,
  translate: toCanonical,
});

interface SignatureHeader {
  readonly timestamp: string;
  readonly signatures: readonly Buffer[];
}

function verify(request: WebhookRequest, { secrets }: SourceConnection): Verification {
  const header = headerOnce(request, 'stripe-signature');
  if (!header.ok) return header.refusal;
  const parsed = parseHeader(header.value);
  if (!parsed) return unsigned('signature-unreadable', 'stripe-signature holds no timestamp with a v1 signature');
  const { timestamp, signatures } = parsed;
  const matches = (key: string) => {
    const expected = hmacSha256(key, [`${timestamp}.`, request.body]);
    return signatures.filter((given) => equalBytes(given, expected)).length > 0;
  };
  if (!anySecretMatches(secrets.webhook, matches)) return wrongSignature;
  // Last, so that an unsigned request learns nothing about our clock.
  return outsideWindow(timestamp, request.receivedAtMs) ?? verified;
}

const mostSignatures = 16;

/** `t=<s>,v1=<hex>[,v1=<hex>]`. Other keys are skipped: v0 is a test scheme that must never count. */
function parseHeader(text: string): SignatureHeader | undefined {
  const pairs = text.split(',').map((item) => {
    const at = item.indexOf('=');
    return { key: item.slice(0, at).trim(), value: item.slice(at + 1).trim() };
  });
  const timestamps = pairs.filter(({ key }) => key === 't');
  const signatures = pairs
    .filter(({ key }) => key === 'v1')
    .slice(0, mostSignatures)
    .flatMap(({ value }) => decodeHex(value, 32) ?? []);
  const [timestamp] = timestamps;
  if (timestamps.length !== 1 || !timestamp?.value || signatures.length === 0) return undefined;
  return { timestamp: timestamp.value, signatures };
}

function describe(request: WebhookRequest): Description {
  const body = readJsonObject(request.body);
  if (!body.ok) return { kind: 'malformed', code: body.code, reason: body.reason };
  const eventType = asIdentifier(body.value.type);
  if (!eventType) return { kind: 'malformed', code: 'type-missing', reason: 'type is missing' };
  const eventId = asIdentifier(body.value.id) ?? sha256Hex(request.body);
  const object = asObject(asObject(body.value.data)?.object) ?? {};
  return { kind: 'event', eventId, eventType, subject: customerOf(object) ?? asIdentifier(object.id) ?? eventId };
}
