import { createHmac, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { PlatformError } from '@tributary/domain';
import { keyBytes, openBytes, sealBytes, secretKey } from './aes-gcm.js';

const indexName = 'index';
/** Enough that two of a billion subjects do not meet, and half of what an index over whole digests takes. */
const indexBytes = 16;
const idGrammar = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** A data key was wrapped under a key that the ledger's key file does not have. */
export class KeyNotHeld extends PlatformError {
  readonly code = 'LEDGER_KEY_NOT_HELD';
  readonly retryable = true;

  constructor(kekId: string) {
    super(`a data key is wrapped under the key ${kekId}, which the ledger's key file does not have: put it back`);
  }
}

export interface WrappedKey {
  readonly kekId: string;
  readonly wrapped: Buffer;
}

/** The ledger's key file: the keys that data keys are wrapped under, newest first, and the one that blind indexes come of. */
export class LedgerKeys {
  private readonly tenantKeys = new Map<string, KeyObject>();

  private constructor(
    private readonly wrapping: ReadonlyMap<string, KeyObject>,
    private readonly newest: string,
    private readonly indexKey: KeyObject,
  ) {}

  /**
   * One key a line, `<id> <64 hex digits>`; `index` is the key of the blind indexes, the first other line wraps new keys.
   * @throws Error that names the line, never what is in it.
   */
  static parse(text: string): LedgerKeys {
    const keys = new Map<string, KeyObject>();
    for (const [i, line] of text.split('\n').entries()) {
      const trimmed = line.trim();
      if (trimmed === '' || trimmed.startsWith('#')) continue;
      const [id = '', hex = '', ...more] = trimmed.split(/\s+/);
      if (!idGrammar.test(id) || !/^[0-9a-f]{64}$/i.test(hex) || more.length > 0)
        throw new Error(`line ${i + 1} is not "<id> <64 hex digits>"`);
      if (keys.has(id)) throw new Error(`line ${i + 1} has the id ${id} a second time`);
      keys.set(id, secretKey(Buffer.from(hex, 'hex')));
    }
    const indexKey = keys.get(indexName);
    if (!indexKey) throw new Error(`it has no line "${indexName} <64 hex digits>"`);
    keys.delete(indexName);
    const [newest] = keys.keys();
    if (newest === undefined)
      throw new Error('it has no key to wrap data keys with: add a line "<id> <64 hex digits>"');
    return new LedgerKeys(keys, newest, indexKey);
  }

  /** A new key file. */
  static generate(id: string): string {
    const hex = () => randomBytes(keyBytes).toString('hex');
    return `# The newest key first. Removing the index key makes every blind index useless.\n${id} ${hex()}\n${indexName} ${hex()}\n`;
  }

  /** What stands for a name in the ledger: the same name of the same tenant always has the same one. */
  indexOf(tenant: string, name: string): Buffer {
    return createHmac('sha256', this.tenantKey(tenant)).update(name).digest().subarray(0, indexBytes);
  }

  private tenantKey(tenant: string): KeyObject {
    const known = this.tenantKeys.get(tenant);
    if (known) return known;
    const info = `tributary ledger blind index ${tenant}`;
    const key = secretKey(Buffer.from(hkdfSync('sha256', this.indexKey, '', info, keyBytes)));
    this.tenantKeys.set(tenant, key);
    return key;
  }

  /** @param context what the key is for; a wrapped key that was moved to something else does not open. */
  wrap(key: Buffer, context: Buffer): WrappedKey {
    return { kekId: this.newest, wrapped: sealBytes(this.wrapping.get(this.newest) as KeyObject, key, context) };
  }

  /** @throws KeyNotHeld; Error when the wrapped key was altered. */
  unwrap({ kekId, wrapped }: WrappedKey, context: Buffer): KeyObject {
    const key = this.wrapping.get(kekId);
    if (!key) throw new KeyNotHeld(kekId);
    return secretKey(openBytes(key, wrapped, context));
  }
}
