import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Headers, VendorEvent, VendorSender } from './sender.js';

/** What can be wrong with a webhook, in the order of the checks it meets. */
export const sendFaults = [
  'wrong-secret',
  'missing-signature',
  'empty-signature',
  'doubled-signature',
  'truncated-signature',
  'altered-body',
  'reserialised-body',
  'truncated-body',
  'empty-body',
  'stale',
  'future',
  'duplicate',
  'missing-type',
  'unreadable-body',
  'non-utf8',
  'gzip',
  'oversized',
] as const;
export type SendFault = (typeof sendFaults)[number];

export interface WebhookCall {
  /** Name and value in turn, so that a header can come twice. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

export interface CallOptions {
  readonly secrets: readonly string[];
  readonly nowMs: number;
  readonly fault?: SendFault;
}

/** The requests that a vendor makes for an event; two where the fault is that it sends twice. */
export function callsFor(sender: VendorSender, event: VendorEvent, options: CallOptions): readonly WebhookCall[] {
  const { fault } = options;
  const body = signedBody(sender, event, fault);
  const secrets = fault === 'wrong-secret' ? options.secrets.map(otherSecret) : options.secrets;
  const headers = sender.headers({ event, body, secrets, atMs: options.nowMs + clockError(fault) });
  const call = { headers: faultyHeaders(sender, headers, fault), body: sentBody(body, fault) };
  return fault === 'duplicate' ? [call, call] : [call];
}

const windowMs = 301_000;

function clockError(fault: SendFault | undefined): number {
  if (fault === 'stale') return -windowMs;
  return fault === 'future' ? windowMs + 5_000 : 0;
}

// Of the same form as a real one, so that only the key differs: a Standard Webhooks secret stays base64 of that length.
function otherSecret(secret: string): string {
  const digest = createHash('sha512').update(secret).digest('base64').slice(0, 32);
  return secret.startsWith('whsec_') ? `whsec_${digest}` : digest;
}

/** What the vendor signs. */
function signedBody({ source }: VendorSender, event: VendorEvent, fault: SendFault | undefined): Buffer {
  const json = Buffer.from(JSON.stringify(event.body));
  switch (fault) {
    case 'missing-type': {
      const { type: _type, event_type: _eventType, action: _action, ...rest } = event.body;
      return Buffer.from(JSON.stringify(source === 'github' ? [rest] : rest));
    }
    case 'unreadable-body':
      return json.subarray(0, json.length - 2);
    case 'non-utf8':
      return Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('"}')]);
    case 'gzip':
      return gzipSync(json);
    case 'oversized':
      return Buffer.from(JSON.stringify({ ...event.body, filler: 'x'.repeat(5 * 1024 * 1024) }));
    default:
      return json;
  }
}

/** What is sent, where that is not what was signed. */
function sentBody(body: Buffer, fault: SendFault | undefined): Buffer {
  switch (fault) {
    case 'altered-body':
      return Buffer.from(body.toString('utf8').replace('{', '{"altered":true,'));
    case 'reserialised-body':
      return Buffer.from(JSON.stringify(JSON.parse(body.toString('utf8')), null, 2));
    case 'truncated-body':
      return body.subarray(0, Math.floor(body.length / 2));
    case 'empty-body':
      return Buffer.alloc(0);
    default:
      return body;
  }
}

function faultyHeaders(sender: VendorSender, headers: Headers, fault: SendFault | undefined): WebhookCall['headers'] {
  const all = Object.entries(headers);
  const others = all.filter(([name]) => name !== sender.signatureHeader);
  const value = headers[sender.signatureHeader] ?? '';
  const signature = (text: string): readonly [string, string] => [sender.signatureHeader, text];
  switch (fault) {
    case 'missing-signature':
      return others;
    case 'empty-signature':
      return [...others, signature('')];
    case 'doubled-signature':
      return [...others, signature(value), signature(value)];
    case 'truncated-signature':
      // Stripe ends with a v0 that does not count, so the cut has to reach the v1 before it.
      return [...others, signature(value.replace(/,v0=.*$/, '').slice(0, -5))];
    case 'gzip':
      return [...all, ['content-encoding', 'gzip']];
    default:
      return all;
  }
}
