import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { deliver, egressGuard, httpClient } from '@tributary/connector-kit';
import { http } from '@tributary/destinations/http';
import { slack } from '@tributary/destinations/slack';
import type { CanonicalEvent } from '@tributary/domain';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EffectStore } from './effect-store.js';
import { createSandbox } from './sandbox-app.js';
import { Rules } from './settings.js';
import { SlackImitation } from './slack.js';

const secret = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX';
const token = 'xoxb-sandbox-token';
let app: NestFastifyApplication;
let base: string;
let rules: Rules;
const client = httpClient({ guard: egressGuard(['127.0.0.1/32']) });

beforeAll(async () => {
  rules = new Rules({ signingSecrets: [secret], slackTokens: [token], slackPerSecond: 0 });
  app = await createSandbox(rules);
  await app.listen(0, '127.0.0.1');
  base = await app.getUrl();
});
afterAll(async () => {
  await client.close();
  await app.close();
});
beforeEach(async () => {
  rules.slackPerSecond = 0;
  await call('DELETE', '/state');
});

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const reply = await fetch(base + path, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    redirect: 'manual',
  });
  const text = await reply.text();
  return { status: reply.status, headers: reply.headers, body: text === '' ? undefined : JSON.parse(text) };
}

const event: CanonicalEvent = {
  id: 'ev-1',
  source: '/t1/c1',
  type: 'crm.contact.created',
  tenant: 't1',
  subject: 's1',
  data: { name: 'Ada' },
};

const toHttp = (deliveryId: string, secrets = [secret], at = event) =>
  deliver(http, 'postEvent', {
    event: at,
    connection: { id: 'c', tenant: 't1', settings: { url: `${base}/http/inbox` }, secrets: { signing: secrets } },
    deliveryId,
    attempt: 1,
    http: client,
    nowMs: Date.now(),
    signal: new AbortController().signal,
  });

const toSlack = (channel = 'C024BE91L', botToken = token) =>
  deliver(slack, 'postMessage', {
    event,
    connection: {
      id: 'c',
      tenant: 't1',
      settings: { channel, apiBase: `${base}/api` },
      secrets: { botToken: [botToken] },
    },
    deliveryId: 'd',
    attempt: 1,
    http: client,
    nowMs: Date.now(),
    signal: new AbortController().signal,
  });

describe('the HTTP receiver', () => {
  it('takes what our destination signs, once in effect, in order of arrival by subject', async () => {
    expect((await toHttp('a')).outcome).toEqual({ kind: 'delivered' });
    expect((await toHttp('b')).outcome).toEqual({ kind: 'delivered' });
    expect((await toHttp('a')).outcome).toEqual({ kind: 'delivered' });
    const { body } = await call('GET', '/effects/inbox');
    expect(body).toMatchObject({ effects: 2, repeats: 1, requests: 3, order: { s1: ['msg_a', 'msg_b'] } });
    expect((await call('GET', '/effects/inbox?summary=true')).body).toEqual({ effects: 2, repeats: 1, requests: 3 });
  });

  it('takes a signature by any of its secrets, and by no other', async () => {
    const other = 'whsec_GBkaGxwdHh8gISIjJCUmJygpKissLS4v';
    expect((await toHttp('a', [other, secret])).outcome.kind).toBe('delivered');
    expect((await toHttp('b', [other])).outcome.kind).toBe('unauthorized');
    expect((await call('GET', '/effects/inbox')).body).toMatchObject({ effects: 1 });
  });

  it.each([
    ['no signature', {}],
    ['a signature over other bytes', { 'webhook-signature': new Webhook(secret).sign('m', new Date(), '{"a":2}') }],
    [
      'an old signature',
      { 'webhook-signature': new Webhook(secret).sign('m', new Date(0), '{"a":1}'), 'webhook-timestamp': '0' },
    ],
  ])('answers 401 to %s', async (_name, headers) => {
    const now = String(Math.floor(Date.now() / 1000));
    const reply = await call('POST', '/http/inbox', '{"a":1}', {
      'webhook-id': 'm',
      'webhook-timestamp': now,
      ...headers,
    });
    expect(reply.status).toBe(401);
    expect((await call('GET', '/effects/inbox')).body).toMatchObject({ effects: 0, requests: 1 });
  });
});

describe('Slack', () => {
  it('takes a message and shows it', async () => {
    expect((await toSlack()).outcome).toMatchObject({
      kind: 'delivered',
      receipt: expect.stringMatching(/^\d+\.\d{6}$/),
    });
    const { body } = await call('GET', '/effects/slack');
    expect(body).toMatchObject({ effects: 1, list: [{ subject: 'C024BE91L', summary: '*contact created*: Ada' }] });
  });

  it.each([
    ['an unknown channel', 'nowhere', token, { kind: 'rejected', code: 'channel_not_found' }],
    ['an archived channel', 'CARCHIVED1', token, { kind: 'rejected', code: 'is_archived' }],
    ['a revoked token', 'C024BE91L', 'xoxb-revoked', { kind: 'unauthorized', code: 'token_revoked' }],
    ['another token', 'C024BE91L', 'xoxb-other', { kind: 'unauthorized', code: 'invalid_auth' }],
  ])('refuses %s inside a 200', async (_name, channel, botToken, outcome) => {
    expect((await toSlack(channel, botToken)).outcome).toMatchObject(outcome);
    expect((await call('GET', '/requests/slack')).body.log.at(-1)).toMatchObject({ status: 200 });
  });

  it.each([
    ['not_authed', {}, '{}'],
    ['invalid_post_type', { authorization: `Bearer ${token}`, 'content-type': 'text/plain' }, '{}'],
    ['invalid_json', { authorization: `Bearer ${token}` }, '{'],
    ['no_text', { authorization: `Bearer ${token}` }, '{"channel":"C1A"}'],
    [
      'msg_too_long',
      { authorization: `Bearer ${token}` },
      JSON.stringify({ channel: 'C1A', text: 'x'.repeat(40_001) }),
    ],
  ])('says %s', async (error, headers, body) => {
    expect((await call('POST', '/api/chat.postMessage', body, headers)).body).toEqual({ ok: false, error });
  });

  it('answers 429 to the second message of a second, per channel', () => {
    let nowMs = 5_000;
    const perSecond = new Rules({ signingSecrets: [], slackTokens: [token], slackPerSecond: 1 });
    const imitation = new SlackImitation(new EffectStore(), perSecond, () => nowMs);
    const post = (channel: string) =>
      imitation.postMessage(
        `Bearer ${token}`,
        'application/json',
        Buffer.from(JSON.stringify({ channel, text: 'hi' })),
      );
    expect(post('C1A').status).toBe(200);
    nowMs = 5_999;
    expect(post('C1A')).toMatchObject({ status: 429, headers: { 'retry-after': '1' }, body: { ok: false } });
    expect(post('C2B').status).toBe(200);
    nowMs = 6_000;
    expect(post('C1A').status).toBe(200);
  });

  it('has a rate that can be changed while it runs', async () => {
    expect((await call('PUT', '/rules', { slackPerSecond: 3 })).status).toBe(204);
    expect(rules.slackPerSecond).toBe(3);
    expect((await call('PUT', '/rules', { slackPerSecond: -1 })).status).toBe(400);
  });
});

describe('faults', () => {
  it('answer with a status and Retry-After, as often as asked', async () => {
    await call('PUT', '/faults/inbox', { status: 503, retryAfter: 7, count: 1 });
    expect((await toHttp('a')).outcome).toMatchObject({ kind: 'throttled', retryAfterMs: 7000 });
    expect((await toHttp('a')).outcome.kind).toBe('delivered');
  });

  it('count who comes again before the time that they asked for, and nobody else', async () => {
    await call('PUT', '/faults/inbox', { status: 429, retryAfter: 60, count: 1 });
    await toHttp('a');
    await toHttp('a');
    await call('PUT', '/faults/elsewhere', { status: 429, retryAfter: 0, count: 1 });
    const other = () => call('POST', '/http/elsewhere', '{}');
    await other();
    await other();
    expect((await call('GET', '/requests/inbox')).body).toMatchObject({
      early: 1,
      log: [{ status: 429, reason: 'fault' }, { status: 202 }],
      answers: [
        { status: 429, durationMs: expect.any(Number) },
        { status: 202, durationMs: expect.any(Number) },
      ],
    });
    expect((await call('GET', '/requests/elsewhere')).body).toMatchObject({ early: 0 });
  });

  it('meet one channel of Slack, and another one not', async () => {
    await call('PUT', '/faults/slack:C1AA', { status: 429, retryAfter: 60 });
    expect((await toSlack('C1AA')).outcome.kind).toBe('throttled');
    expect((await toSlack('C2BB')).outcome.kind).toBe('delivered');
    expect((await call('GET', '/requests/slack')).body).toMatchObject({ early: 0 });
    await toSlack('C1AA');
    expect((await call('GET', '/requests/slack')).body).toMatchObject({ early: 1 });
  });

  it('act at once and answer later', async () => {
    await call('PUT', '/faults/inbox', { answerAfterMs: 50, count: 1 });
    expect((await toHttp('a')).outcome.kind).toBe('delivered');
    expect((await call('GET', '/effects/inbox')).body).toMatchObject({ effects: 1, repeats: 0 });
  });

  it('break the connection after the effect', async () => {
    await call('PUT', '/faults/inbox', { dropAfterEffect: true, count: 1 });
    expect((await toHttp('a')).outcome.kind).toBe('unknown');
    expect((await toHttp('a')).outcome.kind).toBe('delivered');
    expect((await call('GET', '/effects/inbox')).body).toMatchObject({ effects: 1, repeats: 1 });
  });

  it('redirect, and are taken back by an empty order', async () => {
    await call('PUT', '/faults/slack', { redirectTo: 'http://169.254.169.254/' });
    expect((await toSlack()).outcome).toMatchObject({ kind: 'rejected', code: '302' });
    await call('PUT', '/faults/slack', {});
    expect((await toSlack()).outcome.kind).toBe('delivered');
  });

  it('meet nothing at probability 0, and everything else after 410', async () => {
    await call('PUT', '/faults/inbox', { status: 410, probability: 0 });
    expect((await toHttp('a')).outcome.kind).toBe('delivered');
    await call('PUT', '/faults/inbox', { status: 410 });
    expect((await toHttp('b')).outcome.kind).toBe('disabled');
  });

  it.each([{ status: 99 }, { status: '500' }, { colour: 'red' }, { probability: 2 }, { redirectTo: 'x' }, 'nonsense'])(
    'are refused when they are %j',
    async (order) => {
      expect((await call('PUT', '/faults/inbox', order)).status).toBe(400);
    },
  );
});

describe('the sandbox', () => {
  it('has vendors send, and reports what they were answered', async () => {
    const order = { url: `${base}/http/inbox`, secrets: [secret], count: 2, prefix: 'p', concurrency: 2 };
    const sent = await call('POST', '/send/standard-webhooks', { ...order, faults: ['duplicate', 'stale'] });
    expect(sent.status).toBe(200);
    expect(sent.body.reports.map(({ fault, status }: { fault: string; status: number }) => [fault, status])).toEqual([
      ['duplicate', 202],
      ['duplicate', 202],
      ['stale', 401],
      ['duplicate', 202],
      ['duplicate', 202],
      ['stale', 401],
    ]);
    expect((await call('GET', '/effects/inbox')).body).toMatchObject({ effects: 2, repeats: 2 });
  });

  it.each([
    ['an unknown vendor', '/send/acme', { url: 'http://127.0.0.1/', secrets: ['x'] }],
    ['no secrets', '/send/gusto', { url: 'http://127.0.0.1/' }],
    ['a URL that is none', '/send/gusto', { url: 'x', secrets: ['x'] }],
    ['an unknown fault', '/send/gusto', { url: 'http://127.0.0.1/', secrets: ['x'], faults: ['gremlins'] }],
  ])('refuses to send for %s', async (_name, path, order) => {
    expect((await call('POST', path, order)).status).toBe(400);
  });

  it('says that it is up, and what it counted', async () => {
    await toHttp('a');
    expect((await call('GET', '/health/live')).status).toBe(200);
    expect((await call('GET', '/health/ready')).status).toBe(200);
    const metrics = await (await fetch(`${base}/metrics`)).text();
    expect(metrics).toContain('sandbox_effects_total{target="inbox"} 1');
  });
});
