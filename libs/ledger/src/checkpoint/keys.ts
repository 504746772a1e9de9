import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';

/** Type of signature in C2SP signed notes. */
const ed25519 = 1;
const keyBytes = 32;
const idBytes = 4;
/** A DER header makes a bare Ed25519 key (RFC 8410) into what `node:crypto` reads. */
const publicHeader = Buffer.from('302a300506032b6570032100', 'hex');
const privateHeader = Buffer.from('302e020100300506032b657004220420', 'hex');
const nameGrammar = /^[^\s+]+$/u;

export class KeyUnreadable extends Error {
  readonly code = 'KEY_UNREADABLE';
  readonly retryable = false;
}

/** Verifies signatures of one key. */
export interface VerifyingKey {
  readonly name: string;
  /** The first bytes of a hash of the key and its name, 8 hex digits. */
  readonly id: string;
  verify(text: string, signature: Uint8Array): boolean;
  /** As an auditor keeps it: name, id and key (the format of Go's `note` package). */
  readonly text: string;
}

export interface SigningKey {
  readonly verifying: VerifyingKey;
  sign(text: string): Buffer;
}

/** Reads `<name>+<id>+<key>`. @throws KeyUnreadable */
export function parseVerifyingKey(text: string): VerifyingKey {
  const [name = '', id = '', encoded = '', ...more] = split(text, 3);
  const key = readKey(encoded);
  if (!key || more.length > 0 || !nameGrammar.test(name)) {
    throw new KeyUnreadable(
      'a public key is written <name>+<8 hex digits>+<base64>, as "tributary audit new-key" does',
    );
  }
  const expected = idOf(name, key);
  if (id !== expected) {
    throw new KeyUnreadable(`the public key of ${name} has id ${expected}, but says ${id}: it was altered or cut off`);
  }
  return verifyingKey(name, key);
}

/** Reads `PRIVATE+KEY+<name>+<id>+<seed>`. @throws KeyUnreadable, whose message never holds the key. */
export function parseSigningKey(text: string): SigningKey {
  const [one, two, name = '', id = '', encoded = '', ...more] = split(text, 5);
  const seed = readKey(encoded);
  if (one !== 'PRIVATE' || two !== 'KEY' || !seed || more.length > 0 || !nameGrammar.test(name)) {
    throw new KeyUnreadable(
      'a signing key is written PRIVATE+KEY+<name>+<id>+<base64>: make one with "tributary audit new-key"',
    );
  }
  const signing = signingKey(name, seed);
  if (signing.verifying.id !== id)
    throw new KeyUnreadable(`the signing key of ${name} does not have the id ${id}: it was altered or cut off`);
  return signing;
}

/** A new key. The name stands in every signature: a host name, or a URL without its scheme. */
export function generateKey(name: string): { readonly signingKey: string; readonly verifyingKey: string } {
  if (!nameGrammar.test(name))
    throw new KeyUnreadable('the name of a key has no spaces and no "+", for example acme.example/ledger');
  const { privateKey } = generateKeyPairSync('ed25519');
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(privateHeader.length);
  const { verifying } = signingKey(name, seed);
  const encoded = Buffer.concat([Buffer.of(ed25519), seed]).toString('base64');
  return { signingKey: `PRIVATE+KEY+${name}+${verifying.id}+${encoded}`, verifyingKey: verifying.text };
}

function signingKey(name: string, seed: Buffer): SigningKey {
  const key = createPrivateKey({ key: Buffer.concat([privateHeader, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return {
    verifying: verifyingKey(name, spki.subarray(publicHeader.length)),
    sign: (text) => sign(null, Buffer.from(text, 'utf8'), key),
  };
}

function verifyingKey(name: string, bytes: Buffer): VerifyingKey {
  const key: KeyObject = createPublicKey({ key: Buffer.concat([publicHeader, bytes]), format: 'der', type: 'spki' });
  const id = idOf(name, bytes);
  return {
    name,
    id,
    text: `${name}+${id}+${Buffer.concat([Buffer.of(ed25519), bytes]).toString('base64')}`,
    verify: (text, signature) => verify(null, Buffer.from(text, 'utf8'), key, signature),
  };
}

const idOf = (name: string, key: Buffer): string =>
  hash('sha256', Buffer.concat([Buffer.from(`${name}\n`, 'utf8'), Buffer.of(ed25519), key]), 'buffer')
    .subarray(0, idBytes)
    .toString('hex');

function readKey(encoded: string): Buffer | undefined {
  const bytes = Buffer.from(encoded, 'base64');
  // Node ignores what is no base64: only text that comes out the same is the key that somebody meant.
  if (bytes.toString('base64') !== encoded || bytes.length !== 1 + keyBytes || bytes[0] !== ed25519) return undefined;
  return bytes.subarray(1);
}

/** Base64 has "+" as well: what follows the last separator stays in one piece. */
function split(text: string, parts: number): string[] {
  const pieces = text.trim().split('+');
  return [...pieces.slice(0, parts - 1), pieces.slice(parts - 1).join('+')];
}
