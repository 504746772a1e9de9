import { createPublicKey, verify } from 'node:crypto';
import { type HttpRequest, httpReply } from '@tributary/connector-kit';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { destinationContract, fixturesIn } from '../../connector-kit/src/contract/index.js';
import { sendWebhook } from './client.js';
import { http } from './definition.js';
import { problemOfSigningKey, signatureHeader } from './signing.js';

const keyA = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX';
const keyB = 'whsec_GBkaGxwdHh8gISIjJCUmJygpKissLS4v';
const privateKey = 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==';

destinationContract(http, {
  fixtures: fixturesIn(import.meta.dirname),
  settingsFor: (baseUrl) => ({ url: `${baseUrl}/http/inbox?x=1` }),
  secrets: { signing: [keyA] },
  accepted: { status: 202 },
  whenBodyIsLost: 'delivered',
});

const message = { type: 'people.employee.onboarded', id: 'ev-1', source: '/t1/c1', data: { name: 'Žofia' } };

async function attemptAt(nowMs: number, signing: string[], status = 204, headers: Record<string, string> = {}) {
  const sent: HttpRequest[] = [];
  const client = {
    send: async (request: HttpRequest) => {
      sent.push(request);
      return httpReply({ status, headers });
    },
    post: () => Promise.reject(new Error('not used')),
  };
  const outcome = await sendWebhook(client, message, {
    settings: { url: 'https://example.test/in' },
    secrets: { signing },
    deliveryId: 'd'.repeat(64),
    attempt: 1,
    nowMs,
    signal: new AbortController().signal,
  });
  return { outcome, request: sent[0] as HttpRequest };
}

describe('http', () => {
  const g3 = { id: 'msg_sandbox_1', timestamp: 1_700_000_000, body: '{"id":"evt_1","ok":true}' };

  it('signs the vector G3, newest key first', () => {
    expect(signatureHeader(g3, [keyA, keyB])).toBe(
      'v1,or+Yj84EZzkZFSM7Re4O41e/1MzpR9oR8eqEUy0cdS0= v1,zOzUvddAtJo0Bg8LmMCMPWtdM8q9+7MQ+nVLbl2T5c0=',
    );
  });

  it('signs the vector F12 with an Ed25519 key', () => {
    const expected = 'v1a,k9BCZK6/tMDTXbpRsZI1cUeSsryt4lWGTl8DAYvswv2Ucdp89n7HffCMrFRfMOLsNhrzxoup0MMTR6K/PARICw==';
    expect(signatureHeader(g3, [privateKey])).toBe(expected);
  });

  it('signs with a bare Ed25519 seed as with the whole key', () => {
    const bytes = Buffer.from(privateKey.slice('whsk_'.length), 'base64');
    const seed = `whsk_${bytes.subarray(0, 32).toString('base64')}`;
    expect(signatureHeader(g3, [seed])).toBe(signatureHeader(g3, [privateKey]));
    const x = bytes.subarray(32).toString('base64url');
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    const signature = Buffer.from(signatureHeader(g3, [seed])?.slice('v1a,'.length) ?? '', 'base64');
    expect(verify(null, Buffer.from(`${g3.id}.${g3.timestamp}.${g3.body}`), key, signature)).toBe(true);
  });

  it('is verified by the published package, with either key during a rotation', async () => {
    const { request } = await attemptAt(Date.now(), [keyA, keyB]);
    for (const key of [keyA, keyB]) {
      expect(new Webhook(key).verify(String(request.body), { ...request.headers })).toEqual(message);
    }
  });

  it('keeps the id over attempts and signs the time of each', async () => {
    const first = await attemptAt(1_700_000_000_999, [keyA]);
    const second = await attemptAt(1_700_000_300_000, [keyA]);
    expect(first.request.headers?.['webhook-id']).toBe(`msg_${'d'.repeat(64)}`);
    expect(second.request.headers?.['webhook-id']).toBe(first.request.headers?.['webhook-id']);
    expect(first.request.headers?.['webhook-timestamp']).toBe('1700000000');
    expect(second.request.headers?.['webhook-timestamp']).toBe('1700000300');
    expect(second.request.headers?.['webhook-signature']).not.toBe(first.request.headers?.['webhook-signature']);
  });

  it('stops for a person when the endpoint answers 410', async () => {
    expect((await attemptAt(0, [keyA], 410)).outcome).toMatchObject({ kind: 'disabled', code: '410' });
  });

  it.each([502, 503, 504])('waits as asked when %i comes with Retry-After', async (status) => {
    const { outcome } = await attemptAt(0, [keyA], status, { 'Retry-After': '1.5' });
    expect(outcome).toMatchObject({ kind: 'throttled', retryAfterMs: 1500 });
  });

  it('does not sign at all when one of its keys is unusable', async () => {
    const { outcome, request } = await attemptAt(0, [keyA, 'whsec_short']);
    expect(outcome).toMatchObject({ kind: 'unauthorized', code: 'SIGNING_KEY' });
    expect(request).toBeUndefined();
  });

  it.each([
    ['24 bytes', `whsec_${Buffer.alloc(24, 1).toString('base64')}`, true],
    ['64 bytes', `whsec_${Buffer.alloc(64, 1).toString('base64')}`, true],
    ['a private key', privateKey, true],
    ['23 bytes', `whsec_${Buffer.alloc(23, 1).toString('base64')}`, false],
    ['65 bytes', `whsec_${Buffer.alloc(65, 1).toString('base64')}`, false],
    ['no prefix', Buffer.alloc(32, 1).toString('base64'), false],
    ['a public key', 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=', false],
    ['half a private key', `whsk_${Buffer.alloc(16, 1).toString('base64')}`, false],
    ['what is not base64', 'whsec_!!!!', false],
    ['nothing', '', false],
  ])('judges a key of %s', (_name, key, isUsable) => {
    expect(problemOfSigningKey(key) === undefined).toBe(isUsable);
  });
});
