import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { sampleTimeSeconds, subjectNumber, type VendorSender } from './sender.js';

const types = [
  'contact.created',
  'contact.updated',
  'contact.subscribed',
  'contact.unsubscribed',
  'contact.deleted',
] as const;

export const standardWebhooksSender: VendorSender = {
  source: 'standard-webhooks',
  signatureHeader: 'webhook-signature',
  sample: (n, prefix) => {
    const type = types[n % types.length] as string;
    const data = { id: `${prefix}-contact-${subjectNumber(n)}`, n };
    const timestamp = new Date((sampleTimeSeconds + n) * 1000).toISOString();
    return { id: `msg_${prefix}_${n}`, type, body: { type, timestamp, data } };
  },
  headers: ({ event, body, secrets, atMs }) => ({
    'content-type': 'application/json',
    'webhook-id': event.id,
    'webhook-timestamp': String(Math.floor(atMs / 1000)),
    'webhook-signature': secrets.map((secret) => signature(event.id, body, secret, atMs)).join(' '),
  }),
};

function signature(id: string, body: Buffer, secret: string, atMs: number): string {
  const text = body.toString('utf8');
  if (Buffer.from(text).equals(body)) return new Webhook(secret).sign(id, new Date(atMs), text);
  // The package signs text; bytes that are no text can only be signed by the formula.
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signed = createHmac('sha256', key)
    .update(`${id}.${Math.floor(atMs / 1000)}.`)
    .update(body);
  return `v1,${signed.digest('base64')}`;
}
