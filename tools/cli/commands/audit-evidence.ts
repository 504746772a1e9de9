import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Checkpoint as CheckpointRecord } from '@tributary/contracts';
import { topics } from '@tributary/contracts';
import { scanTopic } from '@tributary/kafka';
import { parseVerifyingKey, splitNotes, type VerifyingKey } from '@tributary/ledger';
import { CommandFailure } from '../run.js';
import type { Session } from '../session.js';

export async function publishedNotes(session: Session): Promise<string[]> {
  const { client, codec } = session.platform;
  const values: Buffer[] = [];
  await scanTopic({
    client,
    topic: topics.auditCheckpoints.name,
    onRecord: ({ value }) => {
      if (value) values.push(value);
    },
  });
  const notes: string[] = [];
  for (const value of values) {
    notes.push((await codec.decode<CheckpointRecord>(value, 'tributary.audit.Checkpoint')).value.note);
  }
  return notes;
}

/** A folder is a bucket that was copied: each checkpoint a file, in folders by tree. */
export function keptNotes(paths: readonly string[] = []): string[] {
  return paths.flatMap((path) => {
    if (!isFolder(path)) return splitNotes(textIn(path));
    const files = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.note'));
    if (files.length === 0) throw new CommandFailure(`${path} has no checkpoint: no file in it ends with .note`);
    return files.sort().map((name) => textIn(join(path, name)));
  });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

export function keysIn(files: readonly string[]): VerifyingKey[] {
  const lines = files.flatMap((file) => textIn(file).split('\n'));
  return lines.filter((line) => line.trim() !== '').map(parseVerifyingKey);
}

const textIn = (file: string): string => bytesIn(file).toString('utf8');

export function bytesIn(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CommandFailure((error as Error).message);
  }
}
