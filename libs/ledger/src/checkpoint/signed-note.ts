import type { SigningKey, VerifyingKey } from './keys.js';

const idBytes = 4;
const mostSignatures = 64;
const signatureLine = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u;
// Control characters are what this looks for.
// biome-ignore lint/suspicious/noControlCharactersInRegex: see above
const controlCharacter = /[\u0000-\u0009\u000b-\u001f]/;

export class NoteRefused extends Error {
  readonly code = 'NOTE_REFUSED';
  readonly retryable = false;
}

interface Signature {
  readonly name: string;
  readonly id: string;
  readonly bytes: Buffer;
}

/** C2SP signed note: the text, an empty line, a line for each signature. Several keys may sign while they are rotated. */
export function signNote(text: string, keys: readonly SigningKey[]): string {
  if (!text.endsWith('\n') || controlCharacter.test(text)) {
    throw new NoteRefused('a note ends with a new line and has no control characters');
  }
  const lines = keys.map((key) => {
    const bytes = Buffer.concat([Buffer.from(key.verifying.id, 'hex'), key.sign(text)]);
    return `\u2014 ${key.verifying.name} ${bytes.toString('base64')}\n`;
  });
  return `${text}\n${lines.join('')}`;
}

/**
 * The text of a note that at least one of the keys signed. Signatures of other keys are ignored, a wrong one of a known
 * key is not. @throws NoteRefused
 */
export function openNote(note: string, keys: readonly VerifyingKey[]): string {
  const { text, signatures } = parse(note);
  let verified = 0;
  for (const { name, id, bytes } of signatures) {
    const key = keys.find((one) => one.name === name && one.id === id);
    if (!key) continue;
    if (!key.verify(text, bytes)) throw new NoteRefused(`the signature of ${name} (${id}) is not over this text`);
    verified += 1;
  }
  if (verified === 0) {
    const signers = signatures.map(({ name, id }) => `${name} (${id})`).join(', ');
    throw new NoteRefused(`none of the given public keys signed it; signed by ${signers}`);
  }
  return text;
}

function parse(note: string): { text: string; signatures: Signature[] } {
  const end = note.lastIndexOf('\n\n');
  if (end < 1 || !note.endsWith('\n') || controlCharacter.test(note) || !note.isWellFormed()) {
    throw new NoteRefused('it is not a signed note: a text, an empty line and signatures');
  }
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > mostSignatures) throw new NoteRefused(`it has more than ${mostSignatures} signatures`);
  return { text: note.slice(0, end + 1), signatures: lines.map(readSignature) };
}

function readSignature(line: string): Signature {
  const [, name, encoded = ''] = signatureLine.exec(line) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  if (!name || bytes.length <= idBytes || bytes.toString('base64') !== encoded) {
    throw new NoteRefused('a line below its text is not a signature');
  }
  return { name, id: bytes.subarray(0, idBytes).toString('hex'), bytes: bytes.subarray(idBytes) };
}
