import { Command } from 'commander';
import { addAuditCommands } from './commands/audit.js';
import { addAuditFindCommand } from './commands/audit-find.js';
import { addClusterCommands } from './commands/cluster.js';
import { addDeadLetterCommands } from './commands/dead-letters.js';
import { addEraseCommand } from './commands/erase.js';
import { addGroupCommands } from './commands/groups.js';
import { addHealthCommand } from './commands/health.js';
import { addIntegrationCommands } from './commands/integrations.js';
import { addLanesCommand } from './commands/lanes.js';
import { addLedgerCommands } from './commands/ledger.js';
import { addPrepareCommand } from './commands/prepare.js';
import { addProofCommands } from './commands/prove.js';
import { addSecretCommands } from './commands/secrets.js';

/** Every command, bound to nothing yet: a session is opened when one is run. */
export function createProgram(): Command {
  const program = new Command('tributary')
    .description('Operates Tributary. Addresses come from KAFKA_BROKERS, SCHEMA_REGISTRY_URL and DATABASE_URL.')
    .option('--log-level <level>', 'show logs of this level and above', 'silent')
    .option('--actor <name>', 'who acts, for the audit trail; default: TRIBUTARY_ACTOR, else the login of this machine')
    .showHelpAfterError()
    .showSuggestionAfterError();
  addIntegrationCommands(program);
  addProofCommands(program);
  addAuditCommands(program);
  addDeadLetterCommands(program);
  addClusterCommands(program);
  addGroupCommands(program);
  addPrepareCommand(program);
  addLanesCommand(program);
  addLedgerCommands(program);
  addEraseCommand(program);
  addSecretCommands(program);
  addAuditFindCommand(program);
  addHealthCommand(program);
  return program;
}
