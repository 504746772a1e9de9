import { createHmac } from 'node:crypto';
import Stripe from 'stripe';
import { sampleTimeSeconds, subjectNumber, type VendorSender } from './sender.js';

const types = [
  'customer.created',
  'invoice.created',
  'invoice.finalized',
  'invoice.paid',
  'payment_intent.succeeded',
] as const;
// The key is for the API, which is never called.
const { webhooks } = new Stripe('sk_test_unused');

function objectOf(type: string, customer: string, n: number): Record<string, unknown> {
  const amount = 1000 + n;
  if (type === 'customer.created') {
    return {
      id: customer,
      object: 'customer',
      email: `${customer}@example.test`,
      name: `Customer ${customer}`,
      phone: null,
    };
  }
  if (type.startsWith('invoice.')) {
    const paid = type === 'invoice.paid';
    const status = { 'invoice.created': 'draft', 'invoice.finalized': 'open' }[type] ?? 'paid';
    const money = { amount_due: amount, amount_paid: paid ? amount : 0, currency: 'usd' };
    return { id: `in_${customer}`, object: 'invoice', customer, number: `A-${customer}`, status, ...money };
  }
  return { id: `pi_${customer}`, object: 'payment_intent', customer, amount, currency: 'usd', status: 'succeeded' };
}

export const stripeSender: VendorSender = {
  source: 'stripe',
  signatureHeader: 'Stripe-Signature',
  sample: (n, prefix) => {
    const type = types[n % types.length] as string;
    const id = `evt_${prefix}_${n}`;
    const object = objectOf(type, `cus_${prefix}_${subjectNumber(n)}`, n);
    return {
      id,
      type,
      body: { id, object: 'event', created: sampleTimeSeconds + n, livemode: false, type, data: { object } },
    };
  },
  headers: ({ body, secrets, atMs }) => ({
    'content-type': 'application/json; charset=utf-8',
    'Stripe-Signature': signatureHeader(body, secrets, Math.floor(atMs / 1000)),
  }),
};

/** During a rotation Stripe offers one v1 by each secret, and always a v0 that must not count. */
function signatureHeader(body: Buffer, secrets: readonly string[], timestamp: number): string {
  const signatures = secrets.map((secret) => `v1=${v1(body, secret, timestamp)}`);
  return [`t=${timestamp}`, ...signatures, `v0=${'0'.repeat(64)}`].join(',');
}

function v1(body: Buffer, secret: string, timestamp: number): string {
  const payload = body.toString('utf8');
  // The SDK signs text; bytes that are no text can only be signed by the formula.
  if (!Buffer.from(payload).equals(body))
    return createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex');
  const header = webhooks.generateTestHeaderString({ payload, secret, timestamp });
  return header.split('v1=')[1] ?? '';
}
