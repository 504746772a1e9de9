import { Retention, type RetentionStep } from '@tributary/operations';
import { type RecordClass, RetentionPolicies, RetiredRows, recordClasses } from '@tributary/persistence';
import { type Command, Option } from 'commander';
import { acting, CommandFailure, confirm, print } from '../run.js';
import type { Session } from '../session.js';
import { renderTable } from '../table.js';
import { reasonAbout, retirementLogOf, warnOfUnknown } from './ledger-options.js';

interface SetOptions {
  readonly tenant?: string;
  readonly allTenants?: boolean;
  readonly class: RecordClass;
  readonly days?: string;
  readonly asMonths?: boolean;
  readonly reason: string;
}

interface RunOptions {
  readonly reason?: string;
  readonly yes?: boolean;
}

export function addRetentionCommands(program: Command, ledger: Command): void {
  const retention = ledger
    .command('retention')
    .description('how long which rows are kept, within the months that are kept');
  retention
    .command('show')
    .description('the policies; what has none is kept as long as its month')
    .option('--json', 'print as JSON')
    .action(acting(program, showCommand));
  retention
    .command('set')
    .description('keep rows of a tenant and class for so many days')
    .option('--tenant <id>', 'tenant')
    .option('--all-tenants', 'tenants without a policy of their own for the class, and records of no tenant')
    .addOption(new Option('--class <class>', 'kind of record').choices(recordClasses).makeOptionMandatory())
    .option('--days <n>', 'days, counted from when the broker got the record')
    .option('--as-months', 'take the policy away: keep as long as the months')
    .requiredOption('--reason <text>', 'why, for the audit trail')
    .action(acting(program, setCommand));
  retention
    .command('run')
    .description('take out the rows whose time is over; shows them, and does it with --yes')
    .option('--reason <text>', 'why, for the audit trail; needed with --yes')
    .option('--yes', 'do it')
    .action(acting(program, runCommand));
}

const retentionOf = (session: Session): Retention =>
  new Retention({
    policies: new RetentionPolicies(session.database),
    rows: new RetiredRows(session.database),
    log: retirementLogOf(session),
    audit: session.platform.audit,
    nowMs: Date.now,
  });

async function showCommand(session: Session, { json }: { readonly json?: boolean }): Promise<void> {
  const policies = await new RetentionPolicies(session.database).list();
  if (json) return print(JSON.stringify(policies, null, 2));
  const rows = policies.map((one) => [
    one.tenant === '' ? 'all others' : one.tenant,
    one.class,
    one.days,
    one.setAt.toISOString(),
    one.setBy,
    one.reason,
  ]);
  print(renderTable(['tenant', 'class', 'days', 'since', 'by', 'reason'], rows));
}

async function setCommand(session: Session, options: SetOptions): Promise<void> {
  const { tenant, allTenants, days, asMonths } = options;
  if ((tenant === undefined) === !allTenants) throw new CommandFailure('give either --tenant or --all-tenants');
  if ((days === undefined) === !asMonths) throw new CommandFailure('give either --days or --as-months');
  if (days !== undefined && !/^\d{1,6}$/.test(days))
    throw new CommandFailure(`--days is ${days}; write a whole number`);
  const reason = reasonAbout({ reason: options.reason, ...(tenant !== undefined && { tenant }) });
  const scope = { tenant: tenant ?? '', class: options.class };
  await retentionOf(session).set(scope, days === undefined ? undefined : Number(days), {
    actor: session.actor,
    reason,
  });
  if (tenant !== undefined) await warnOfUnknown(session, tenant);
  print('done; tributary ledger retention run shows what goes now');
}

async function runCommand(session: Session, options: RunOptions): Promise<void> {
  const retention = retentionOf(session);
  const plan = await retention.plan();
  const total = plan.reduce((sum, { rows }) => sum + rows, 0);
  print(renderPlan(plan));
  if (!options.yes || total === 0) return print('nothing was done');
  const reason = reasonAbout({ reason: options.reason ?? '' });
  await confirm(`take ${total} rows out of the ledger?`, options.yes);
  print(`${await retention.run(plan, { actor: session.actor, reason })} rows are out of the ledger; their hashes stay`);
}

function renderPlan(plan: readonly RetentionStep[]): string {
  const rows = plan.map(({ policy, before, rows: count, held }) => [
    policy.tenant === '' ? 'all others' : policy.tenant,
    policy.class,
    before.toISOString(),
    count,
    held,
  ]);
  return renderTable(['tenant', 'class', 'before', 'rows', 'kept by legal holds'], rows);
}
