import { readFileSync } from 'node:fs';

const isFile = /^file:(.+)$/;

/**
 * The text of a file as it is whenever it is asked for, so that certificates and passwords that are rotated take effect with the next
 * connection. While a replacement is being written, the file may be away or empty: then the text before it still counts.
 * @throws Error when the file cannot be read now, which is when the process starts.
 */
export function liveFile(path: string): () => string {
  let last = readText(path);
  return () => {
    try {
      last = readText(path);
    } catch {
      // Whoever refuses the old text says so; nobody can do better with it here.
    }
    return last;
  };
}

/** A text that is given as itself, or as `file:<path>`, which is read again like `liveFile`. */
export function liveText(text: string): () => string {
  const path = isFile.exec(text)?.[1];
  if (path === undefined) return () => text;
  const read = liveFile(path);
  // Editors and `echo` end a file with a line feed, which is no part of a password.
  return () => read().trimEnd();
}

function readText(path: string): string {
  const text = readFileSync(path, 'utf8');
  if (text.trim() === '') throw new Error(`the file ${path} is empty`);
  return text;
}
