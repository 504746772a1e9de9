/** Files of a new source, by path in its folder. Words in double underscores are filled in. */
export const sourceTemplate: Readonly<Record<string, string>> = {
  'index.ts': `export * from './definition.js';
`,
  'definition.ts': `import {
  anySecretMatches,
  asIdentifier,
  type Description,
  decodeHex,
  defineSource,
  equalBytes,
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

export const __name__ = defineSource({
  slug: '__slug__',
  title: '__title__',
  summary: 'Events of __title__.',
  settings: {},
  secrets: { webhook: secret('Secret that __title__ signs its webhooks with.') },
  keptHeaders: [],
  events: ['work.*.*'],
  promises: { ordering: 'none', deduplication: 'event-id', retries: 'not known' },
  verify,
  describe,
  translate: toCanonical,
});

const signatureHeader = 'x-__slug__-signature';

function verify(request: WebhookRequest, { secrets }: SourceConnection): Verification {
  const header = headerOnce(request, signatureHeader);
  if (!header.ok) return header.refusal;
  const given = decodeHex(header.value, 32);
  if (!given) return unsigned('signature-unreadable', 'the signature is not 64 hex digits');
  const matches = (key: string) => equalBytes(hmacSha256(key, [request.body]), given);
  return anySecretMatches(secrets.webhook, matches) ? verified : wrongSignature;
}

function describe(request: WebhookRequest): Description {
  const body = readJsonObject(request.body);
  if (!body.ok) return { kind: 'malformed', code: body.code, reason: body.reason };
  const eventType = asIdentifier(body.value.type);
  if (!eventType) return { kind: 'malformed', code: 'type-missing', reason: 'type is missing' };
  const eventId = asIdentifier(body.value.id) ?? sha256Hex(request.body);
  return { kind: 'event', eventId, eventType, subject: asIdentifier(body.value.subject) ?? eventId };
}
`,
  'mapping.ts': `import { asIdentifier, type RawEvent, readJsonObject, type Translation, typePart } from '@tributary/connector-kit';

/** Its events have no record of their own yet: they are carried as JSON text. */
export function toCanonical(raw: RawEvent): Translation {
  const body = readJsonObject(raw.body);
  if (!body.ok) return { kind: 'invalid', reason: body.reason };
  const type = asIdentifier(body.value.type);
  const [entity, verb] = (type ?? '').split('.', 2).map(typePart);
  if (!type || !entity || !verb) return { kind: 'ignored', reason: \`no mapping for \${raw.sourceEventType}\` };
  const subject = asIdentifier(body.value.subject);
  return {
    kind: 'events',
    events: [
      {
        type: \`work.\${entity}.\${verb}\`,
        ...(subject !== undefined && { subject }),
        record: 'tributary.external.ExternalEvent',
        data: { type, data: JSON.stringify(body.value.data ?? null), occurredAt: null },
      },
    ],
  };
}
`,
  'fixtures/ticket-opened.in.json': `{
  "body": { "id": "e1", "type": "ticket.opened", "subject": "t1", "data": { "title": "Broken" } }
}
`,
  'fixtures/ticket-opened.out.json': `{
  "description": { "kind": "event", "eventId": "e1", "eventType": "ticket.opened", "subject": "t1" },
  "translation": {
    "kind": "events",
    "events": [
      {
        "type": "work.ticket.opened",
        "subject": "t1",
        "record": "tributary.external.ExternalEvent",
        "data": { "type": "ticket.opened", "data": "{\\"title\\":\\"Broken\\"}", "occurredAt": null }
      }
    ]
  }
}
`,
  '__slug__.spec.ts': `import { createHmac } from 'node:crypto';
import { fixturesIn, sourceContract } from '../../connector-kit/src/contract/index.js';
import { __name__ } from './definition.js';

sourceContract(__name__, {
  fixtures: fixturesIn(import.meta.dirname),
  signing: {
    secrets: ['a secret', 'a former secret'],
    otherSecret: 'another secret',
    header: 'x-__slug__-signature',
    sign: (body, { secret }) => ({ 'x-__slug__-signature': createHmac('sha256', secret).update(body).digest('hex') }),
    timestamped: false,
    list: false,
    hex: true,
  },
});
`,
};
