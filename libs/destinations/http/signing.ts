import { createPrivateKey, createSecretKey, type KeyObject, sign } from 'node:crypto';
import { decodeBase64, hmacSha256 } from '@tributary/connector-kit';

const symmetricPrefix = 'whsec_';
const privatePrefix = 'whsk_';
const seedBytes = 32;

// The fixed start of a PKCS #8 Ed25519 key; the 32-byte seed follows.
const pkcs8Start = Buffer.from('302e020100300506032b657004220420', 'hex');

type SigningKey = { readonly kind: 'v1' | 'v1a'; readonly key: KeyObject };

// Making a key object costs more than signing with it. Bounded: keys come and go with connections.
const keys = new Map<string, SigningKey>();
const mostKeys = 1000;

/** Undefined when the text is not a key that may be signed with. */
function signingKey(text: string): SigningKey | undefined {
  const known = keys.get(text);
  if (known) return known;
  const key = readKey(text);
  if (!key) return undefined;
  if (keys.size >= mostKeys) keys.clear();
  keys.set(text, key);
  return key;
}

function readKey(text: string): SigningKey | undefined {
  if (text.startsWith(privatePrefix)) {
    const bytes = decodeBase64(text.slice(privatePrefix.length));
    // The seed alone, or the seed followed by the public key.
    if (bytes?.length !== seedBytes && bytes?.length !== seedBytes * 2) return undefined;
    const der = Buffer.concat([pkcs8Start, bytes.subarray(0, seedBytes)]);
    return { kind: 'v1a', key: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) };
  }
  if (!text.startsWith(symmetricPrefix)) return undefined;
  const key = decodeBase64(text.slice(symmetricPrefix.length));
  return key && key.length >= 24 && key.length <= 64 ? { kind: 'v1', key: createSecretKey(key) } : undefined;
}

export function problemOfSigningKey(text: string): string | undefined {
  return readKey(text)
    ? undefined
    : 'must be whsec_ and 24 to 64 bytes in base64, or whsk_ and an Ed25519 key in base64';
}

export interface Signed {
  readonly id: string;
  /** Unix seconds of this attempt. */
  readonly timestamp: number;
  readonly body: string;
}

/**
 * Value of `webhook-signature`: one signature by each active key, newest first, so that a receiver may change its key
 * while both are active. Undefined when one of the keys is not usable: signing with the rest would hide it.
 */
export function signatureHeader({ id, timestamp, body }: Signed, secrets: readonly string[]): string | undefined {
  const text = Buffer.from(`${id}.${timestamp}.${body}`);
  const signatures = secrets.map((secret) => signatureBy(signingKey(secret), text));
  return signatures.length === 0 || signatures.includes(undefined) ? undefined : signatures.join(' ');
}

function signatureBy(key: SigningKey | undefined, text: Buffer): string | undefined {
  if (!key) return undefined;
  const bytes = key.kind === 'v1' ? hmacSha256(key.key, [text]) : sign(null, text, key.key);
  return `${key.kind},${bytes.toString('base64')}`;
}
