import { defineDestination, operation, secret, url } from '@tributary/connector-kit';
import { domains } from '@tributary/contracts';
import { sendWebhook } from './client.js';
import { toWebhook, webhookMessage } from './mapping.js';
import { problemOfSigningKey } from './signing.js';

const endpointSettings = {
  url: url('Address that receives the events.', { example: 'https://example.com/events' }),
};

export const http = defineDestination({
  slug: 'http',
  title: 'HTTP endpoint',
  summary: 'Posts signed events to any URL, by the Standard Webhooks specification.',
  settings: endpointSettings,
  secrets: {
    signing: secret('Signing key: whsec_ (24 to 64 bytes) or whsk_ (Ed25519). Newest first.', {
      check: problemOfSigningKey,
    }),
  },
  // The receiver drops repeats by webhook-id, as the specification asks of it.
  promises: { ordering: 'per-key', idempotency: 'key' },
  limits: { maxInFlight: 32, timeoutMs: 15_000 },
  unknownOutcome: 'retry',
  operations: {
    postEvent: operation({
      summary: 'One signed request per event.',
      accepts: domains.map((domain) => `${domain}.*.*`),
      message: webhookMessage,
      translate: toWebhook,
      send: sendWebhook,
    }),
  },
});
