import { createHmac } from 'node:crypto';
import Stripe from 'stripe';
import { describe, expect, it } from 'vitest';
import { fixturesIn, requestOf, sourceContract } from '../../connector-kit/src/contract/index.js';
import { stripe } from './definition.js';
import { decimalFromMinorUnits } from './money.js';

const hex = (secret: string, text: string | Buffer, t: number) =>
  createHmac('sha256', secret).update(`${t}.`).update(text).digest('hex');

sourceContract(stripe, {
  fixtures: fixturesIn(import.meta.dirname),
  signing: {
    secrets: ['whsec_test_secret', 'whsec_former_secret'],
    otherSecret: 'whsec_other_secret',
    header: 'Stripe-Signature',
    sign: (body, { secret, atMs }) => {
      const t = Math.floor(atMs / 1000);
      return { 'Stripe-Signature': `t=${t},v1=${hex(secret, body, t)}` };
    },
    timestamped: true,
    list: false,
    hex: true,
  },
});

describe('stripe', () => {
  const secret = 'whsec_test_secret';
  const body = '{"id":"evt_test_webhook","object":"event"}';
  const t = 1614265330;
  const good = '3c5817089d739023dd6190f70a3757e04f7a2fd8b5dab12c2e000f51970dccff';
  const wrong = '0'.repeat(64);
  const connection = { id: 'c1', tenant: 't1', settings: {}, secrets: { webhook: [secret] } };
  const verdictOn = (header: string, text = body) =>
    stripe.verify(requestOf(text, { 'stripe-signature': header }, t * 1000), connection);
  const refused = (status: number) => ({ kind: 'refused', status });

  it('takes the vector G1', () => {
    expect(verdictOn(`t=${t},v1=${good}`)).toEqual({ kind: 'verified' });
  });

  it("takes what Stripe's own SDK signs", () => {
    const header = new Stripe('sk_test_none').webhooks.generateTestHeaderString({
      payload: body,
      secret,
      timestamp: t,
    });
    expect(verdictOn(header)).toEqual({ kind: 'verified' });
  });

  it.each([
    ['the second of two v1', `t=${t},v1=${wrong},v1=${good}`],
    ['a v1 beside a wrong v0', `t=${t},v1=${good},v0=${wrong}`],
    ['a v1 beside an unreadable one', `t=${t},v1=xyz,v1=${good}`],
    ['unknown keys', `t=${t},v2=abc,foo,v1=${good},=`],
    ['spaces after the commas', `t=${t}, v1=${good}`],
  ])('takes %s', (_name, header) => {
    expect(verdictOn(header)).toEqual({ kind: 'verified' });
  });

  it.each([
    ['only v0', `t=${t},v0=${good}`],
    ['no timestamp', `v1=${good}`],
    ['two timestamps', `t=${t},t=${t + 1},v1=${good}`],
    ['an empty timestamp', `t=,v1=${good}`],
    ['no signature', `t=${t}`],
    ['another timestamp than the signed one', `t=${t + 1},v1=${good}`],
    ['a timestamp that is no number', `t=now,v1=${good}`],
    ['the good signature behind sixteen wrong ones', `t=${t},${`v1=${wrong},`.repeat(16)}v1=${good}`],
  ])('answers 401 to %s', (_name, header) => {
    expect(verdictOn(header)).toMatchObject(refused(401));
  });

  it('answers 400 to a signed timestamp that is no number', () => {
    const signature = createHmac('sha256', secret).update(`soon.${body}`).digest('hex');
    expect(verdictOn(`t=soon,v1=${signature}`)).toMatchObject({ ...refused(400), code: 'timestamp-invalid' });
  });

  it('does not decode the secret: its prefix is part of the key', () => {
    const other = createHmac('sha256', secret.slice('whsec_'.length)).update(`${t}.${body}`).digest('hex');
    expect(verdictOn(`t=${t},v1=${other}`)).toMatchObject(refused(401));
  });

  it.each([
    [1999, 'USD', '19.99'],
    [5, 'USD', '0.05'],
    [0, 'USD', '0.00'],
    [-1, 'USD', '-0.01'],
    [-12345, 'USD', '-123.45'],
    [500, 'JPY', '500'],
    [5120, 'KWD', '5.120'],
    [5, 'BHD', '0.005'],
    [500, 'UGX', '5.00'],
    [500, 'ISK', '5.00'],
    [Number.MAX_SAFE_INTEGER, 'USD', '90071992547409.91'],
    [19.99, 'USD', null],
    ['1999', 'USD', null],
    [Number.NaN, 'USD', null],
  ])('writes %s %s as %s', (amount, currency, text) => {
    expect(decimalFromMinorUnits(amount, currency)).toBe(text);
  });
});
