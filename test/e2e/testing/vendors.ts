import { randomBytes, randomUUID } from 'node:crypto';
import { callsFor, senders, type VendorEvent, type VendorSender, type WebhookCall } from '@tributary/vendor-simulator';

const hex = (): string => randomBytes(24).toString('hex');
const whsec = (): string => `whsec_${randomBytes(32).toString('base64')}`;

/** Secrets of the rotating connections and API keys of integrations/ingress.yaml, by variable. */
export const testSecrets = {
  E2E_GUSTO_NEW: randomUUID(),
  E2E_GUSTO_OLD: randomUUID(),
  E2E_STRIPE_NEW: `whsec_${hex()}`,
  E2E_STRIPE_OLD: `whsec_${hex()}`,
  E2E_GITHUB_NEW: hex(),
  E2E_GITHUB_OLD: hex(),
  E2E_STANDARD_NEW: whsec(),
  E2E_STANDARD_OLD: whsec(),
  E2E_OTHER_API_KEY: `other-publisher.${hex()}`,
  E2E_READER_API_KEY: `reader.${hex()}`,
} as const;

export interface Vendor {
  readonly source: string;
  readonly connection: string;
  readonly sender: VendorSender;
  readonly newSecret: string;
  readonly oldSecret: string;
  readonly isTimestamped: boolean;
  /** The signature is written in hex, so the case of its letters can differ. */
  readonly isHex: boolean;
  /** The signature header is a list, so a second one only lengthens it. */
  readonly takesList: boolean;
}

function vendor(source: string, connection: string, secrets: readonly [string, string]): Vendor {
  const sender = senders.get(source);
  if (!sender) throw new Error(`the simulator does not imitate ${source}`);
  return {
    source,
    connection,
    sender,
    newSecret: secrets[0],
    oldSecret: secrets[1],
    isTimestamped: source === 'stripe' || source === 'standard-webhooks',
    isHex: source !== 'standard-webhooks',
    takesList: source === 'standard-webhooks',
  };
}

export const vendors: readonly Vendor[] = [
  vendor('gusto', 'rotating-gusto', [testSecrets.E2E_GUSTO_NEW, testSecrets.E2E_GUSTO_OLD]),
  vendor('stripe', 'rotating-stripe', [testSecrets.E2E_STRIPE_NEW, testSecrets.E2E_STRIPE_OLD]),
  vendor('github', 'rotating-github', [testSecrets.E2E_GITHUB_NEW, testSecrets.E2E_GITHUB_OLD]),
  vendor('standard-webhooks', 'rotating-standard', [testSecrets.E2E_STANDARD_NEW, testSecrets.E2E_STANDARD_OLD]),
];

export interface SignedCall extends WebhookCall {
  readonly event: VendorEvent;
}

let samples = 0;

/** A webhook that nobody sent before, with the right signature. */
export function aCall({ sender, newSecret }: Vendor, secret = newSecret): SignedCall {
  const event = sender.sample(samples++ * 5, `e${randomBytes(4).toString('hex')}`);
  const [call] = callsFor(sender, event, { secrets: [secret], nowMs: Date.now() });
  if (!call) throw new Error(`${sender.source} sends nothing`);
  return { ...call, event };
}

/** The right signature over any bytes. */
export function signedOver({ sender, newSecret }: Vendor, body: Buffer, type?: string): SignedCall {
  const sample = sender.sample(samples++ * 5, `e${randomBytes(4).toString('hex')}`);
  const event = { ...sample, type: type ?? sample.type };
  const headers = sender.headers({ event, body, secrets: [newSecret], atMs: Date.now() });
  return { event, body, headers: Object.entries(headers) };
}

type Pair = readonly [string, string];

/** The call with its signature changed; `change` gives none, one or several values in its place. */
export function withSignature(
  { sender }: Vendor,
  call: SignedCall,
  change: (value: string) => readonly string[],
): SignedCall {
  const headers = call.headers.flatMap(([name, value]): Pair[] =>
    name === sender.signatureHeader ? change(value).map((changed): Pair => [name, changed]) : [[name, value]],
  );
  return { ...call, headers };
}

export function withHeader(call: SignedCall, name: string, value: string): SignedCall {
  const others = call.headers.filter(([other]) => other.toLowerCase() !== name.toLowerCase());
  return { ...call, headers: [...others, [name, value]] };
}

export function withoutHeader(call: SignedCall, name: string): SignedCall {
  return { ...call, headers: call.headers.filter(([other]) => other.toLowerCase() !== name.toLowerCase()) };
}
