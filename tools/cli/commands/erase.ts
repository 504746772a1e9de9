import { randomUUID } from 'node:crypto';
import { Erasure, type ErasurePlan, type Person } from '@tributary/operations';
import { dataKeyCachedForMs, LegalHolds, SubjectRecords } from '@tributary/persistence';
import type { Command } from 'commander';
import { acting, confirm, print } from '../run.js';
import type { Session } from '../session.js';
import { openDeadLetters, topicsFor } from './dead-letter-selection.js';
import { heldKeysOf, reasonAbout } from './ledger-options.js';

interface EraseOptions extends Person {
  readonly reason: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export function addEraseCommand(program: Command): void {
  program
    .command('erase')
    .description('forget a person: delete the key of what the ledger has of them, discard their dead letters')
    .requiredOption('--tenant <tenant>', 'tenant')
    .requiredOption('--subject <subject>', 'subject of the events about the person (ce_subject)')
    .requiredOption('--reason <text>', 'why, for the audit trail; must not name the person')
    .option('--dry-run', 'show what would be erased, and do nothing')
    .option('--yes', 'do not ask')
    .option('--json', 'print as JSON')
    .action(acting(program, eraseCommand));
}

async function eraseCommand(session: Session, options: EraseOptions): Promise<void> {
  const { tenant, subject } = options;
  const reason = reasonAbout(options);
  const erasure = open(session);
  const plan = await erasure.plan({ tenant, subject });
  if (options.dryRun) {
    print(options.json ? JSON.stringify(plan, null, 2) : `${described(plan)}; nothing was done`);
    return;
  }
  if (!options.json) print(described(plan));
  await confirm('erase? it cannot be undone', options.yes);
  const report = await erasure.run({ tenant, subject }, { actor: session.actor, reason, id: randomUUID() });
  if (options.json) return print(JSON.stringify(report, null, 2));
  print(
    `erased: ${report.keysErased} keys deleted, ${report.deadLettersDiscarded} dead letters discarded, ${report.receiptsForgotten} receipts forgotten`,
  );
  print(
    `writers that hold the key forget it within ${dataKeyCachedForMs / 1000} s; topics keep records for 14 days at most`,
  );
}

const described = (plan: ErasurePlan): string =>
  `subject ${plan.subjectIndex}: ${plan.rows} facts of ${plan.events} events and ${plan.deliveries} deliveries, ${plan.keys} keys (${plan.erasedKeys} erased before), ${plan.openDeadLetters} open dead letters`;

function open(session: Session): Erasure {
  const { keys, dataKeys } = heldKeysOf(session);
  const letters = openDeadLetters(session);
  return new Erasure({
    keys,
    dataKeys,
    subjects: new SubjectRecords(session.database),
    holds: new LegalHolds(session.database),
    letters,
    lettersOf: async (person) => letters.find(await topicsFor(session, {}), { person }),
    audit: session.platform.audit,
    nowMs: Date.now,
  });
}
