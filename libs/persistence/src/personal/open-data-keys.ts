import { readFileSync } from 'node:fs';
import { Database } from '../database.js';
import { DataKeys } from './data-keys.js';
import { type KeysAddress, keysAddressAt } from './key-database.js';
import { LedgerKeys } from './ledger-keys.js';

export interface DataKeysPlace extends KeysAddress {
  readonly keysFile: string;
  readonly applicationName: string;
  readonly onIdleError: (error: Error) => void;
}

export interface OpenDataKeys {
  readonly dataKeys: DataKeys;
  readonly keys: LedgerKeys;
  close(): Promise<void>;
}

/** @throws Error when the key file cannot be read or is none. */
export function openDataKeys(place: DataKeysPlace): OpenDataKeys {
  const keys = readLedgerKeys(place.keysFile);
  const database = new Database({
    url: keysAddressAt(place),
    applicationName: place.applicationName,
    maxConnections: 2,
    onIdleError: place.onIdleError,
  });
  return { keys, dataKeys: new DataKeys({ database, keys, nowMs: Date.now }), close: () => database.close() };
}

function readLedgerKeys(path: string): LedgerKeys {
  try {
    return LedgerKeys.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`LEDGER_KEYS_FILE ${path} cannot be used: ${(error as Error).message}`, { cause: error });
  }
}
