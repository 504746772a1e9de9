/** Files of a new destination, by path in its folder. Words in double underscores are filled in. */
export const destinationTemplate: Readonly<Record<string, string>> = {
  'index.ts': `export * from './definition.js';
`,
  'definition.ts': `import { defineDestination, operation, secret, url } from '@tributary/connector-kit';
import { domains } from '@tributary/contracts';
import { postEvent } from './client.js';
import { eventMessage, toMessage } from './mapping.js';

export const __name__ = defineDestination({
  slug: '__slug__',
  title: '__title__',
  summary: 'Posts events to __title__.',
  settings: { url: url('Address that receives the events.', { example: 'https://api.example.com/events' }) },
  secrets: { token: secret('API token.') },
  // Until the vendor is known to drop repeats: what may have had its effect is not sent again.
  promises: { ordering: 'per-key', idempotency: 'none' },
  limits: { maxInFlight: 8, timeoutMs: 10_000 },
  unknownOutcome: 'drop',
  operations: {
    postEvent: operation({
      summary: 'One request per event.',
      accepts: domains.map((domain) => \`\${domain}.*.*\`),
      message: eventMessage,
      translate: toMessage,
      send: postEvent,
    }),
  },
});
`,
  'mapping.ts': `import type { CanonicalEvent } from '@tributary/domain';
import { z } from 'zod';

export const eventMessage = z.strictObject({
  type: z.string().min(1),
  data: z.record(z.string(), z.unknown()),
});
export type EventMessage = z.infer<typeof eventMessage>;

export function toMessage({ type, data }: CanonicalEvent): EventMessage {
  return { type, data: { ...data } };
}
`,
  'client.ts': `import { type HttpClient, outcomeFromResult, type SendContext } from '@tributary/connector-kit';
import type { DeliveryOutcome } from '@tributary/domain';
import type { EventMessage } from './mapping.js';

export async function postEvent(
  http: HttpClient,
  message: EventMessage,
  { settings, secrets, nowMs, signal }: SendContext & { readonly settings: { readonly url: string } },
): Promise<DeliveryOutcome> {
  const [bearer] = secrets.token ?? [];
  if (!bearer) return { kind: 'unauthorized', code: 'TOKEN', reason: 'no token: check secrets.token' };
  return outcomeFromResult(await http.post(settings.url, { json: message, bearer, signal }), nowMs);
}
`,
  'fixtures/issue-opened.in.json': `{
  "operation": "postEvent",
  "event": {
    "id": "e1",
    "source": "/t1/c1",
    "type": "work.issue.opened",
    "tenant": "t1",
    "subject": "acme/app#7",
    "data": { "title": "Broken" }
  }
}
`,
  'fixtures/issue-opened.out.json': `{
  "message": { "type": "work.issue.opened", "data": { "title": "Broken" } }
}
`,
  '__slug__.spec.ts': `import { destinationContract, fixturesIn } from '../../connector-kit/src/contract/index.js';
import { __name__ } from './definition.js';

destinationContract(__name__, {
  fixtures: fixturesIn(import.meta.dirname),
  settingsFor: (baseUrl) => ({ url: \`\${baseUrl}/events\` }),
  secrets: { token: ['a-token-of-some-length'] },
  accepted: { status: 202 },
  whenBodyIsLost: 'delivered',
});
`,
};
