import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { optionalLedgerKeySettings, platformSettings, readSettings, SealingKey } from '@tributary/config';
import { generateKey } from '@tributary/ledger';
import { prepareCluster } from '@tributary/operations';
import { LedgerKeys } from '@tributary/persistence';
import { registryOptions } from '@tributary/runtime';
import type { Command } from 'commander';
import { acting, print } from '../run.js';
import type { Session } from '../session.js';
import { applyIntegrations } from './integrations.js';

interface Options {
  readonly keys: string;
  readonly file?: string[];
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

export function addPrepareCommand(program: Command): void {
  program
    .command('prepare')
    .description('for development: missing keys, tables, topics, schemas and connections, in one go; may be run again')
    .requiredOption('--keys <folder>', 'where keys are, or are written if there are none')
    .option('-f, --file <path>', 'YAML file or folder to apply; may be repeated', collect)
    .action(acting(program, prepare));
}

async function prepare(session: Session, { keys, file = [] }: Options): Promise<void> {
  for (const name of writeMissingKeys(keys)) print(`+ ${join(keys, name)}`);
  const { keysDatabaseUrl } = readSettings(optionalLedgerKeySettings);
  await prepareCluster({
    admin: session.admin,
    registry: registryOptions(readSettings(platformSettings)),
    databaseUrl: session.databaseUrl,
    ...(keysDatabaseUrl !== undefined && { keysDatabaseUrl }),
  });
  print('tables, topics and schemas are there');
  if (file.length > 0) await applyIntegrations(session, { file, yes: true, reason: 'prepare' });
}

/** Never replaces one: what it locked or signed could not be read or verified again. @returns the files that are new. */
export function writeMissingKeys(folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const missing = (name: string) => !existsSync(join(folder, name));
  const written: string[] = [];
  const write = (name: string, text: string) => {
    // In one step: a key that was cut off half-way would be taken for a key.
    writeFileSync(join(folder, `${name}.new`), text, { mode: 0o600 });
    renameSync(join(folder, `${name}.new`), join(folder, name));
    written.push(name);
  };
  if (missing('kek')) write('kek', SealingKey.generate());
  if (missing('ledger')) write('ledger', LedgerKeys.generate('development'));
  if (missing('audit')) {
    const { signingKey, verifyingKey } = generateKey('tributary.local/ledger');
    write('audit.pub', `${verifyingKey}\n`);
    write('audit', `${signingKey}\n`);
  }
  return written;
}
