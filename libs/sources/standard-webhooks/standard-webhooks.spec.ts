import { createHmac, createPrivateKey, sign } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { fixturesIn, requestOf, sourceContract } from '../../connector-kit/src/contract/index.js';
import { standardWebhooks } from './definition.js';
import { entityAndVerb } from './mapping.js';

const keyOf = (secret: string) => Buffer.from(secret.slice('whsec_'.length), 'base64');
const secretA = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX';
const secretB = 'whsec_GBkaGxwdHh8gISIjJCUmJygpKissLS4v';
const published = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const publicKey = 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=';

sourceContract(standardWebhooks, {
  fixtures: fixturesIn(import.meta.dirname),
  settings: { domain: 'crm' },
  signing: {
    secrets: [secretA, secretB],
    otherSecret: published,
    header: 'webhook-signature',
    sign: (body, { secret, atMs }) => {
      const t = Math.floor(atMs / 1000);
      const mac = createHmac('sha256', keyOf(secret)).update(`msg_1.${t}.`).update(body).digest('base64');
      return { 'webhook-id': 'msg_1', 'webhook-timestamp': String(t), 'webhook-signature': `v1,${mac}` };
    },
    timestamped: true,
    list: true,
    hex: false,
  },
});

interface Case {
  id: string;
  t: string;
  body: string;
  signature: string | string[];
}
const p6: Case = {
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  t: '1614265330',
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};
const g3: Case = {
  id: 'msg_sandbox_1',
  t: '1700000000',
  body: '{"id":"evt_1","ok":true}',
  signature: 'v1,or+Yj84EZzkZFSM7Re4O41e/1MzpR9oR8eqEUy0cdS0= v1,zOzUvddAtJo0Bg8LmMCMPWtdM8q9+7MQ+nVLbl2T5c0=',
};
const f12: Case = {
  ...g3,
  signature: 'v1a,k9BCZK6/tMDTXbpRsZI1cUeSsryt4lWGTl8DAYvswv2Ucdp89n7HffCMrFRfMOLsNhrzxoup0MMTR6K/PARICw==',
};

function verdictOn(c: Case, webhook: string[], atMs = Number(c.t) * 1000, prefix = 'webhook') {
  const headers = { [`${prefix}-id`]: c.id, [`${prefix}-timestamp`]: c.t, [`${prefix}-signature`]: c.signature };
  const connection = { id: 'c1', tenant: 't1', settings: { domain: 'work' as const }, secrets: { webhook } };
  return standardWebhooks.verify(requestOf(c.body, headers, atMs), connection);
}
const verified = { kind: 'verified' };
const refused = (status: number) => ({ kind: 'refused', status });

describe('standard-webhooks', () => {
  it.each([
    ['P6', p6, published],
    ['P6 with the secret bare', p6, published.slice('whsec_'.length)],
    ['G3 by its first secret', g3, secretA],
    ['G3 by its second secret', g3, secretB],
    ['F12 by the public key', f12, publicKey],
  ])('takes the vector %s', (_name, vector, secret) => {
    expect(verdictOn(vector, [secret])).toEqual(verified);
    expect(verdictOn(vector, [secret], undefined, 'svix')).toEqual(verified);
  });

  it('takes what the published package signs', () => {
    const signature = new Webhook(secretA).sign('msg_9', new Date(1_700_000_000_000), g3.body);
    expect(verdictOn({ ...g3, id: 'msg_9', signature }, [secretA])).toEqual(verified);
  });

  it('takes a secret without base64 padding', () => {
    const secret = `whsec_${Buffer.alloc(25, 7).toString('base64')}`;
    const signature = new Webhook(secret).sign(g3.id, new Date(Number(g3.t) * 1000), g3.body);
    expect(verdictOn({ ...g3, signature }, [secret.replace(/=+$/, '')])).toEqual(verified);
  });

  it.each([
    ['a good one among bad ones', ['v1,AAAA', 'v2,zzz', 'x', g3.signature].join(' ')],
    ['one in a second header', ['v1,AAAA', g3.signature as string]],
    ['a good v1 beside an unknown version', `v9,abc ${g3.signature}`],
  ])('takes %s', (_name, signature) => {
    expect(verdictOn({ ...g3, signature }, [secretA])).toEqual(verified);
  });

  it.each([
    ['a truncated signature', { signature: p6.signature.slice(0, 20) }],
    ['v1 with nothing after it', { signature: 'v1,' }],
    ['only an unknown version', { signature: (p6.signature as string).replace('v1', 'v2') }],
    ['a v1 signature called v1a', { signature: (p6.signature as string).replace('v1', 'v1a') }],
    ['no id', { id: '' }],
    ['no timestamp', { t: '' }],
    ['no signature', { signature: '' }],
    ['a timestamp that is no number', { t: 'hello' }],
    ['another id', { id: 'msg_other' }],
    ['the signature behind sixteen wrong ones', { signature: `${'v1,AAAA '.repeat(16)}${p6.signature}` }],
  ])('answers 401 to %s', (_name, change) => {
    expect(verdictOn({ ...p6, ...change }, [published], 1_614_265_330_000)).toMatchObject(refused(401));
  });

  it.each(['', 'whsec_', 'whpk_', 'whpk_AAAA', 'whsec_AAAA', 'whsec_%%%', `whsec_${'A'.repeat(100)}`])(
    'never verifies by the secret %j, and says so when it is applied',
    (secret) => {
      expect(verdictOn(p6, [secret])).toMatchObject(refused(401));
      expect(standardWebhooks.secrets.webhook?.check(secret)).toBeDefined();
    },
  );

  it('does not take a v1 signature made with the public key as a secret', () => {
    const mac = createHmac('sha256', publicKey).update(`${g3.id}.${g3.t}.${g3.body}`).digest('base64');
    expect(verdictOn({ ...g3, signature: `v1,${mac}` }, [publicKey])).toMatchObject(refused(401));
  });

  it('does not take the signature of another private key', () => {
    const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 9)]);
    const other = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const signature = `v1a,${sign(null, Buffer.from(`${g3.id}.${g3.t}.${g3.body}`), other).toString('base64')}`;
    expect(verdictOn({ ...g3, signature }, [publicKey])).toMatchObject(refused(401));
  });

  it('answers 400 to an id with a full stop, even when signed', () => {
    const id = 'msg.1';
    const mac = createHmac('sha256', keyOf(secretA)).update(`${id}.${g3.t}.${g3.body}`).digest('base64');
    expect(verdictOn({ ...g3, id, signature: `v1,${mac}` }, [secretA])).toMatchObject(refused(400));
  });

  it('answers 400 when the id comes twice', () => {
    const headers = { 'webhook-id': [g3.id, g3.id], 'webhook-timestamp': g3.t, 'webhook-signature': g3.signature };
    const connection = {
      id: 'c1',
      tenant: 't1',
      settings: { domain: 'work' as const },
      secrets: { webhook: [secretA] },
    };
    expect(standardWebhooks.verify(requestOf(g3.body, headers), connection)).toMatchObject(refused(400));
  });

  it.each([
    ['contact.created', 'contact.created'],
    ['Contact.CREATED', 'contact.created'],
    ['user_profile.e_mail_changed', 'user-profile.e-mail-changed'],
    ['a.b.c', 'a-b.c'],
    ['ping', 'event.ping'],
    ['2fa.enabled', 'fa.enabled'],
    ['...', 'event.received'],
    ['ü.ß', 'event.received'],
    ['a..b', 'a.b'],
    ['a b/c.d:e', 'a-b-c.d-e'],
  ])('folds the type %j to %s', (vendorType, folded) => {
    expect(entityAndVerb(vendorType)).toBe(folded);
  });
});
