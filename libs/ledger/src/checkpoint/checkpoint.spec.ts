import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinNotes, openCheckpoint, originOf, parseOrigin, signCheckpoint, splitNotes } from './checkpoint.js';
import { generateKey, KeyUnreadable, parseSigningKey, parseVerifyingKey } from './keys.js';
import { NoteRefused, openNote, signNote } from './signed-note.js';

// The vectors of Go's `note` package, whose format this is.
const peterPublic = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const peterPrivate = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
const enochPublic = 'EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop';
const text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const peterLine =
  '\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';
const enochLine =
  '\u2014 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n';
const peter = parseVerifyingKey(peterPublic);
const enoch = parseVerifyingKey(enochPublic);

describe('a key', () => {
  it('is read and written as others do', () => {
    expect(peter).toMatchObject({ name: 'PeterNeumann', id: 'c74f20a3', text: peterPublic });
    expect(parseSigningKey(peterPrivate).verifying.text).toBe(peterPublic);
  });

  it('that was cut off or altered is refused', () => {
    for (const whole of [peterPublic, peterPrivate]) {
      const parse = whole === peterPublic ? parseVerifyingKey : parseSigningKey;
      for (let i = 1; i < whole.length; i++) expect(() => parse(whole.slice(0, i))).toThrow(KeyUnreadable);
      for (let i = 0; i < whole.length; i++) {
        const other = String.fromCharCode(whole.charCodeAt(i) + 1);
        expect(() => parse(whole.slice(0, i) + other + whole.slice(i + 1))).toThrow(KeyUnreadable);
      }
    }
  });

  it('is never part of a message', () => {
    expect(() => parseSigningKey(peterPrivate.replace('c74f', 'c75f'))).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('AYEKFALV') }),
    );
  });

  it('is made new each time', () => {
    const [one, two] = [generateKey('acme.example/ledger'), generateKey('acme.example/ledger')];
    expect(one.signingKey).not.toBe(two.signingKey);
    expect(parseSigningKey(one.signingKey).verifying.text).toBe(one.verifyingKey);
    expect(() => generateKey('two words')).toThrow(KeyUnreadable);
  });
});

describe('a signed note', () => {
  it('is what others sign and open', () => {
    expect(signNote(text, [parseSigningKey(peterPrivate)])).toBe(`${text}\n${peterLine}`);
    expect(openNote(`${text}\n${peterLine}`, [peter])).toBe(text);
    expect(openNote(`${text}\n${peterLine}${enochLine}`, [enoch])).toBe(text);
    expect(openNote(`${text}\n${peterLine}${enochLine}`, [enoch, peter])).toBe(text);
  });

  it.each<[string, string]>([
    ['no signature', text],
    ['an empty line only', `${text}\n`],
    ['a signature without its end', `${text}\n${peterLine.slice(0, -1)}`],
    ['a control character', `\u0001${text}\n${peterLine}`],
    ['half a character', `\ud800${text}\n${peterLine}`],
    ['a line that is no signature', `${text}\n${peterLine}Unexpected line.\n`],
    ['a name with a space', `${text}\n\u2014 Bad Name x08go/ZJkuBS9UG=\n`],
    ['another text', `${text.replace('answer', 'question')}\n${peterLine}`],
    ['four characters more in its signature', `${text}\n${peterLine.slice(0, 60)}ABCD${peterLine.slice(60)}`],
    ['too many signatures', `${text}\n${peterLine.repeat(65)}`],
    ['a signature of somebody else only', `${text}\n${enochLine}`],
    ['nothing at all', ''],
  ])('with %s is refused', (_, note) => {
    expect(() => openNote(note, [peter])).toThrow(NoteRefused);
  });

  it('is refused by those who trust no key, and says who signed it', () => {
    expect(() => openNote(`${text}\n${peterLine}`, [])).toThrow('signed by PeterNeumann (c74f20a3)');
  });
});

describe('a checkpoint', () => {
  const keys = generateKey('acme.example/ledger');
  const [signing, verifying] = [parseSigningKey(keys.signingKey), parseVerifyingKey(keys.verifyingKey)];
  const tree = { log: 'acme.example/ledger', partition: 3, firstOffset: 120 };
  const root = Buffer.alloc(32, 7);
  const signed = signCheckpoint({ tree, size: 42, root, signedAtMs: Date.UTC(2026, 0, 2) }, [signing]);

  it('is three lines, a time and a signature', () => {
    const [origin, size, hash, time, empty, signature] = signed.note.split('\n');
    expect([origin, size, hash, time, empty]).toEqual([
      'acme.example/ledger/audit.records.v1/3/120',
      '42',
      root.toString('base64'),
      'signed-at 2026-01-02T00:00:00.000Z',
      '',
    ]);
    expect(signature).toMatch(/^\u2014 acme\.example\/ledger /);
    expect(openCheckpoint(signed.note, [verifying])).toEqual(signed);
  });

  it('is still read with the old key after the new one signs, and with both keys for a while', () => {
    const next = generateKey('acme.example/ledger');
    const [nextSigning, nextVerifying] = [parseSigningKey(next.signingKey), parseVerifyingKey(next.verifyingKey)];
    const later = signCheckpoint({ ...signed, size: 50 }, [nextSigning]);
    const both = signCheckpoint({ ...signed, size: 51 }, [signing, nextSigning]);
    for (const { note, size } of [signed, later, both]) {
      expect(openCheckpoint(note, [verifying, nextVerifying]).size).toBe(size);
    }
    expect(openCheckpoint(both.note, [verifying]).size).toBe(51);
    expect(() => openCheckpoint(later.note, [verifying])).toThrow('none of the given public keys');
  });

  it('with any character changed is refused', () => {
    fc.assert(
      fc.property(fc.nat(signed.note.length - 1), fc.integer({ min: 32, max: 126 }), (at, code) => {
        const character = String.fromCharCode(code);
        fc.pre(signed.note[at] !== character);
        const changed = signed.note.slice(0, at) + character + signed.note.slice(at + 1);
        expect(() => openCheckpoint(changed, [verifying])).toThrow(NoteRefused);
      }),
    );
  });

  it.each([
    'hello\n',
    'acme/other.topic.v1/0/0\n1\nAAAA\n',
    'acme/audit.records.v1/0/0\n-1\nAAAA\n',
    `acme/audit.records.v1/0/0\n1\n${root.toString('base64')}\n`,
    `acme/audit.records.v1/0/0\n01\n${root.toString('base64')}\nsigned-at 2026-01-02T00:00:00.000Z\n`,
  ])('is not any text that the key signed: %j', (other) => {
    expect(() => openCheckpoint(signNote(other, [signing]), [verifying])).toThrow('is no checkpoint');
  });

  it('names its tree', () => {
    expect(parseOrigin(originOf(tree))).toEqual(tree);
    for (const wrong of [
      '',
      'audit.records.v1/1/2',
      'x/audit.records.v1/1',
      'x/audit.records.v1/01/2',
      'a b/audit.records.v1/1/2',
    ]) {
      expect(parseOrigin(wrong)).toBeUndefined();
    }
  });

  it('is one of many in a file', () => {
    const notes = [signed.note, `${text}\n${peterLine}${enochLine}`, signed.note];
    expect(splitNotes(joinNotes(notes))).toEqual(notes);
    expect(splitNotes(`${joinNotes(notes)}\n\n`)).toEqual(notes);
    expect(splitNotes('')).toEqual([]);
    expect(splitNotes('garbage')).toEqual(['garbage\n']);
  });
});
