import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseSettings, type SourceDefinition, type WebhookRequest } from '@tributary/connector-kit';
import { registry } from '@tributary/registry';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  callsFor,
  type SendFault,
  senders,
  sendFaults,
  sendWebhooks,
  type VendorSender,
  type WebhookCall,
} from './index.js';

const secretsOf: Readonly<Record<string, readonly [string, string]>> = {
  github: ['my secret', 'my former secret'],
  gusto: ['6590f590-3dba-495e-9bea-c361e1e2efc0', '7c1d1a56-42ab-4b0c-9f53-0b6f3a1f7f10'],
  'standard-webhooks': ['whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX', 'whsec_GBkaGxwdHh8gISIjJCUmJygpKissLS4v'],
  stripe: ['whsec_test_secret', 'whsec_former_secret'],
};
const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5);

function verdictOn(source: SourceDefinition, call: WebhookCall, webhook: readonly string[]): string {
  const headers = new Map<string, string[]>();
  for (const [name, value] of call.headers) {
    headers.set(name.toLowerCase(), [...(headers.get(name.toLowerCase()) ?? []), value]);
  }
  const request: WebhookRequest = { method: 'POST', path: '/', headers, body: call.body, receivedAtMs: nowMs };
  const settings = parseSettings(source, {});
  if (!settings.ok) throw new Error(settings.errors.join());
  const connection = { id: 'c1', tenant: 't1', settings: settings.value, secrets: { webhook } };
  const verification = source.verify(request, connection);
  if (verification.kind === 'refused') return String(verification.status);
  return source.describe(request, connection).kind;
}

// What a receiver must answer. Limits of the transport (encoding, size) are met before the signature is looked at.
const expected: Readonly<Record<SendFault, string>> = {
  'wrong-secret': '401',
  'missing-signature': '401',
  'empty-signature': '401',
  'doubled-signature': '400',
  'truncated-signature': '401',
  'altered-body': '401',
  'reserialised-body': '401',
  'truncated-body': '401',
  'empty-body': '401',
  stale: '400',
  future: '400',
  duplicate: 'event',
  'missing-type': 'malformed',
  'unreadable-body': 'malformed',
  'non-utf8': 'malformed',
  gzip: 'malformed',
  oversized: 'event',
};

const isTimestamped = ({ source }: VendorSender) => source === 'stripe' || source === 'standard-webhooks';

function expectedOf(sender: VendorSender, fault: SendFault): string {
  if ((fault === 'stale' || fault === 'future') && !isTimestamped(sender)) return 'event';
  if (fault === 'doubled-signature' && sender.source === 'standard-webhooks') return 'event';
  return expected[fault];
}

describe.each([...senders.values()].map((sender) => [sender.source, sender] as const))(
  'the sender of %s',
  (name, sender) => {
    const source = registry.sources.get(name) as SourceDefinition;
    const [current, former] = secretsOf[name] as readonly [string, string];

    it('is believed by the source that verifies it', () => {
      const event = sender.sample(0, 'demo');
      for (const call of callsFor(sender, event, { secrets: [current], nowMs })) {
        expect(verdictOn(source, call, [current])).toBe('event');
        expect(verdictOn(source, call, [former])).toBe('401');
      }
    });

    it.each(sendFaults)('is answered as it should be with the fault %s', (fault) => {
      const calls = callsFor(sender, sender.sample(1, 'demo'), { secrets: [current], nowMs, fault });
      expect(calls).toHaveLength(fault === 'duplicate' ? 2 : 1);
      for (const call of calls) expect(verdictOn(source, call, [current])).toBe(expectedOf(sender, fault));
    });

    it('tells the same story for the same prefix, and another for another', () => {
      expect(sender.sample(7, 'a')).toEqual(sender.sample(7, 'a'));
      expect(sender.sample(7, 'a').id).not.toBe(sender.sample(7, 'b').id);
      const ids = Array.from({ length: 50 }, (_, n) => sender.sample(n, 'a').id);
      expect(new Set(ids).size).toBe(50);
    });

    it('makes only events that the source translates', () => {
      const settings = parseSettings(source, {});
      if (!settings.ok) throw new Error(settings.errors.join());
      for (let n = 0; n < 10; n++) {
        const event = sender.sample(n, 'demo');
        const body = Buffer.from(JSON.stringify(event.body));
        const headers = new Map(
          Object.entries(sender.headers({ event, body, secrets: [current], atMs: nowMs })).map(
            ([header, value]) => [header.toLowerCase(), [value]] as const,
          ),
        );
        const connection = { id: 'c1', tenant: 't1', settings: settings.value, secrets: {} };
        const described = source.describe(
          { method: 'POST', path: '/', headers, body, receivedAtMs: nowMs },
          connection,
        );
        if (described.kind !== 'event') throw new Error(`${event.type} is ${described.kind}`);
        const raw = { sourceEventId: described.eventId, sourceEventType: described.eventType, headers: {} };
        const place = { contentType: 'application/json', receivedAtMs: nowMs, connection: 'c1', tenant: 't1' };
        expect(source.translate({ ...raw, ...place, body, settings: settings.value }).kind).toBe('events');
      }
    });
  },
);

describe('a rotation', () => {
  it.each(['stripe', 'standard-webhooks'])('of %s is believed with either secret', (name) => {
    const sender = senders.get(name) as VendorSender;
    const source = registry.sources.get(name) as SourceDefinition;
    const secrets = secretsOf[name] as readonly [string, string];
    const [call] = callsFor(sender, sender.sample(0, 'demo'), { secrets, nowMs });
    for (const secret of secrets) expect(verdictOn(source, call as WebhookCall, [secret])).toBe('event');
  });
});

describe('sending', () => {
  it('keeps the order, repeats a doubled header as two lines, and reports each status', async () => {
    const seen: { id: string | undefined; signatures: number }[] = [];
    const server = createServer((request, response) => {
      const signatures = request.rawHeaders.filter((name) => name.toLowerCase() === 'webhook-signature').length;
      seen.push({ id: request.headers['webhook-id'] as string, signatures });
      request.resume().on('end', () => response.writeHead(seen.length === 2 ? 503 : 200).end());
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const secrets = [secretsOf['standard-webhooks']?.[0] as string];
    const order = {
      source: 'standard-webhooks',
      url,
      secrets,
      count: 3,
      prefix: 'p',
      faults: ['doubled-signature'] as const,
    };
    const reports = await sendWebhooks(order);
    expect(reports.map(({ status }) => status)).toEqual([200, 503, 200]);
    expect(seen.map(({ id }) => id)).toEqual(['msg_p_0', 'msg_p_1', 'msg_p_2']);
    expect(seen.every(({ signatures }) => signatures === 2)).toBe(true);
  });

  it('reports a receiver that does not answer, and refuses a vendor it cannot imitate', async () => {
    const [report] = await sendWebhooks({ source: 'gusto', url: 'http://127.0.0.1:1/', secrets: ['t'] });
    expect(report).toMatchObject({ status: 0 });
    expect(report?.error).toContain('ECONNREFUSED');
    await expect(sendWebhooks({ source: 'acme', url: 'http://127.0.0.1:1/', secrets: ['t'] })).rejects.toThrow(
      /imitates acme/,
    );
  });
});
