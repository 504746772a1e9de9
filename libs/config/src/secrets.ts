import { readFileSync, statSync } from 'node:fs';
import type { SealingKey } from './sealing.js';

export type SecretReading =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly reason: string };

const referenceGrammar = /^(file:\/.+|file:[^/].*|env:[A-Za-z_][A-Za-z0-9_]*|enc:[A-Za-z0-9_-]+)$/;

/** True for `file:<path>`, `env:<VARIABLE>` and `enc:<sealed>`; a plain secret is not a reference. */
export const isSecretReference = (text: string): boolean => referenceGrammar.test(text);

interface CachedFile {
  /** Changes with the file, also when a replacement keeps the old one's time, as copies and mounts may. */
  readonly version: string;
  readonly value: string;
}

/**
 * Reads secrets by reference. Files are read again when they change, so that a rotated mount is picked up without a
 * restart. Never throws: a secret that cannot be had is the business of its connection alone.
 */
export class SecretReader {
  private readonly files = new Map<string, CachedFile>();

  constructor(
    private readonly sealingKey: SealingKey | undefined,
    private readonly environment: Readonly<Record<string, string | undefined>> = process.env,
  ) {}

  read(reference: string): SecretReading {
    const [kind, rest] = split(reference);
    switch (kind) {
      case 'file':
        return this.readFile(rest);
      case 'env':
        return this.readVariable(rest);
      case 'enc':
        return this.open(reference);
      default:
        return { ok: false, reason: 'is not a reference: write file:, enc: or env:' };
    }
  }

  private readVariable(name: string): SecretReading {
    const value = this.environment[name];
    return value ? { ok: true, value } : { ok: false, reason: `environment variable ${name} is not set` };
  }

  private readFile(path: string): SecretReading {
    try {
      const { mtimeMs, ctimeMs, ino, size } = statSync(path);
      const version = [mtimeMs, ctimeMs, ino, size].join(' ');
      const cached = this.files.get(path);
      if (cached?.version === version) return { ok: true, value: cached.value };
      const value = readFileSync(path, 'utf8').trim();
      if (!value) return { ok: false, reason: `file ${path} is empty` };
      this.files.set(path, { version, value });
      return { ok: true, value };
    } catch (error) {
      return { ok: false, reason: `file ${path} cannot be read: ${(error as NodeJS.ErrnoException).code}` };
    }
  }

  private open(sealed: string): SecretReading {
    if (!this.sealingKey) return { ok: false, reason: 'is sealed and this service was given no key-encryption key' };
    try {
      return { ok: true, value: this.sealingKey.open(sealed) };
    } catch (error) {
      return { ok: false, reason: (error as Error).message };
    }
  }
}

function split(reference: string): [string, string] {
  const colon = reference.indexOf(':');
  return [reference.slice(0, Math.max(colon, 0)), reference.slice(colon + 1)];
}
