import { hashBytes } from '../merkle/hashing.js';
import type { SigningKey, VerifyingKey } from './keys.js';
import { NoteRefused, openNote, signNote, textOfNote } from './signed-note.js';

/** Which tree: of which log, which partition of the audit topic, from which offset on. */
export interface TreeName {
  /** Names the deployment and the topic, for example `acme.example/ledger/<topic>`. */
  readonly log: string;
  readonly partition: number;
  /** Offset of leaf 0. Above 0 where the topic had forgotten its first records before the ledger first read it. */
  readonly firstOffset: number;
}

/** What was signed: the tree had this root when it had this many leaves. */
export interface Checkpoint {
  readonly tree: TreeName;
  readonly size: number;
  readonly root: Buffer;
  readonly signedAtMs: number;
  /** The signed note, as it was published. */
  readonly note: string;
}

const originGrammar = /^([^\s+]+)\/(0|[1-9]\d{0,8})\/(0|[1-9]\d{0,15})$/u;
const sizeGrammar = /^(0|[1-9]\d{0,15})$/;
const timeLine = /^signed-at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)$/;

/** As it stands in the note. */
export const signedAtOf = ({ signedAtMs }: Pick<Checkpoint, 'signedAtMs'>): string =>
  new Date(signedAtMs).toISOString();

/** The first line of a checkpoint, which no two trees share. */
export const originOf = ({ log, partition, firstOffset }: TreeName): string => `${log}/${partition}/${firstOffset}`;

export function parseOrigin(origin: string): TreeName | undefined {
  const [, log, partition, firstOffset] = originGrammar.exec(origin) ?? [];
  return log === undefined ? undefined : { log, partition: Number(partition), firstOffset: Number(firstOffset) };
}

/** Signs a tree head in the format of C2SP tlog-checkpoint. */
export function signCheckpoint(head: Omit<Checkpoint, 'note'>, keys: readonly SigningKey[]): Checkpoint {
  const lines = [
    originOf(head.tree),
    String(head.size),
    head.root.toString('base64'),
    // An old checkpoint is honest about its size and root: only its time tells that it is not the latest.
    `signed-at ${signedAtOf(head)}`,
  ];
  return { ...head, note: signNote(`${lines.join('\n')}\n`, keys) };
}

/** @throws NoteRefused when no given key signed it, or it is no checkpoint of ours. */
export function openCheckpoint(note: string, keys: readonly VerifyingKey[]): Checkpoint {
  return readHead(openNote(note, keys), note);
}

/** For who passes it on and believes nothing of it: reads what a note says, whoever signed it. @throws NoteRefused */
export function parseCheckpoint(note: string): Checkpoint {
  return readHead(textOfNote(note), note);
}

function readHead(text: string, note: string): Checkpoint {
  const [origin = '', size = '', encodedRoot = '', ...extensions] = text.slice(0, -1).split('\n');
  const tree = parseOrigin(origin);
  const root = Buffer.from(encodedRoot, 'base64');
  const signedAtMs = Date.parse(extensions.map((line) => timeLine.exec(line)?.[1]).find(Boolean) ?? '');
  const isWhole =
    tree &&
    sizeGrammar.test(size) &&
    Number.isSafeInteger(Number(size)) &&
    !Number.isNaN(signedAtMs) &&
    root.length === hashBytes &&
    root.toString('base64') === encodedRoot;
  if (!isWhole) throw new NoteRefused(`it is signed, but is no checkpoint of a ledger: its first line is "${origin}"`);
  return { tree, size: Number(size), root, signedAtMs, note };
}

/** Several notes, one after the other with an empty line between, as a checkpoint file has them. */
export function splitNotes(text: string): string[] {
  const blocks = text.replace(/\n+$/, '').split(/\n{2,}/);
  const notes: string[] = [];
  for (let i = 0; i < blocks.length; i += 2) {
    if (blocks[i] !== '') notes.push(`${blocks.slice(i, i + 2).join('\n\n')}\n`);
  }
  return notes;
}

export const joinNotes = (notes: readonly string[]): string => notes.join('\n');
