import { LedgerKeys } from '@tributary/persistence';
import type { Command } from 'commander';
import { print } from '../run.js';

export function addLedgerCommands(program: Command): void {
  const ledger = program.command('ledger').description('the ledger: its keys, how long it is kept, whom it forgets');
  ledger
    .command('new-keys')
    .description('print a new key file for LEDGER_KEYS_FILE; without it, what the ledger has of people is lost')
    .action(() => print(LedgerKeys.generate(new Date().toISOString().slice(0, 10)).trimEnd()));
}
