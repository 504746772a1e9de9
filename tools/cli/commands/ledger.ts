import { integer, readSettings } from '@tributary/config';
import { topics } from '@tributary/contracts';
import { operatedRecord } from '@tributary/domain';
import { acceptGap, personFacts, type RetirablePlan, Retirement } from '@tributary/operations';
import {
  isMonth,
  Ledger,
  LedgerKeys,
  LedgerMonths,
  LedgerTrees,
  LegalHolds,
  PersonalReader,
  SubjectRecords,
  subjectIndexOf,
} from '@tributary/persistence';
import type { Command } from 'commander';
import { output } from '../output.js';
import { acting, CommandFailure, confirm, print } from '../run.js';
import type { Session } from '../session.js';
import { renderTable } from '../table.js';
import { heldKeysOf, reasonAbout, retirementLogOf, warnOfUnknown } from './ledger-options.js';
import { addRetentionCommands } from './ledger-retention.js';

const retentionSettings = {
  keepMonths: integer('LEDGER_KEEP_MONTHS', 'Whole months that the ledger is kept, besides the present one.', 84, 1),
} as const;

interface HoldOptions {
  readonly tenant: string;
  readonly subject?: string;
  readonly reason: string;
}

interface RetireOptions {
  readonly before: string;
  readonly reason?: string;
  readonly yes?: boolean;
}

interface PersonOptions {
  readonly tenant: string;
  readonly subject: string;
}

type ExportOptions = PersonOptions & { readonly reason: string };

export function addLedgerCommands(program: Command): void {
  const ledger = program.command('ledger').description('the ledger: its keys, how long it is kept, whom it forgets');
  ledger
    .command('new-keys')
    .description('print a new key file for LEDGER_KEYS_FILE; without it, what the ledger has of people is lost')
    .action(() => print(LedgerKeys.generate(new Date().toISOString().slice(0, 10)).trimEnd()));
  ledger
    .command('rewrap-keys')
    .description('wrap all data keys under the first key of LEDGER_KEYS_FILE; the others may be removed afterwards')
    .action(acting(program, rewrapCommand));
  ledger
    .command('hold')
    .description('keep what the ledger has of a tenant, or of one subject: it is neither erased nor retired')
    .requiredOption('--tenant <tenant>', 'tenant')
    .option('--subject <subject>', 'subject; absent: everything of the tenant')
    .requiredOption('--reason <text>', 'why, for the audit trail; must not name the person')
    .action(acting(program, holdCommand));
  ledger
    .command('release <hold>')
    .description('end a legal hold')
    .requiredOption('--reason <text>', 'why, for the audit trail')
    .action(acting(program, releaseCommand));
  ledger.command('holds').description('the legal holds').action(acting(program, holdsCommand));
  ledger
    .command('retire')
    .description('take months out of the ledger; shows them, and does it with --yes')
    .requiredOption('--before <month>', 'the months before this one (2026-01)')
    .option('--reason <text>', 'why, for the audit trail; needed with --yes')
    .option('--yes', 'do it')
    .action(acting(program, retireCommand));
  addRetentionCommands(program, ledger);
  ledger
    .command('accept-gap')
    .description('let the tree grow over records that are lost for good; rows that say so stand in their place')
    .requiredOption('--partition <n>', 'partition of the audit topic')
    .requiredOption('--from <offset>', 'first offset that has no row')
    .requiredOption('--to <offset>', 'last offset that has no row')
    .requiredOption('--reason <text>', 'why they are lost, for the audit trail')
    .option('--yes', 'do not ask')
    .action(acting(program, acceptGapCommand));
  ledger
    .command('export-subject')
    .description('everything that the ledger has of a person, one JSON object a line')
    .requiredOption('--tenant <tenant>', 'tenant')
    .requiredOption('--subject <subject>', 'subject of the events about the person')
    .option('--reason <text>', 'why, for the audit trail; must not name the person', 'export of the data of a person')
    .action(acting(program, exportCommand));
}

interface GapOptions {
  readonly partition: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly yes?: boolean;
}

async function acceptGapCommand(session: Session, options: GapOptions): Promise<void> {
  const [partition, first, last] = (['partition', 'from', 'to'] as const).map((name) => {
    if (!/^\d{1,15}$/.test(options[name])) throw new CommandFailure(`--${name} is ${options[name]}; write a number`);
    return Number(options[name]);
  }) as [number, number, number];
  const reason = reasonAbout({ reason: options.reason });
  const { database, admin } = session;
  // The stand-ins say nothing of anybody, so they are written without the ledger's keys.
  const dataKeys = { forWriting: async () => [] };
  const ports = {
    trees: new LedgerTrees(database),
    ledger: new Ledger({ database, dataKeys }),
    retained: async () => (await admin.offsets(topics.audit.name)) ?? [],
    audit: session.platform.audit,
    nowMs: Date.now,
  };
  await confirm(`accept that offsets ${first} to ${last} of partition ${partition} are lost?`, options.yes);
  await acceptGap(ports, { partition, first, last }, { actor: session.actor, reason });
  print(`${last - first + 1} rows stand for what is lost; the tree goes on over them`);
}

async function rewrapCommand(session: Session): Promise<void> {
  const { dataKeys, keys } = heldKeysOf(session);
  const done = await dataKeys.rewrap((count) => process.stderr.write(`${count} keys\n`));
  print(`${done} keys are now wrapped under ${keys.newest}`);
}

async function holdCommand(session: Session, options: HoldOptions): Promise<void> {
  const { tenant, subject } = options;
  const reason = reasonAbout(options);
  const subjectIndex = subject === undefined ? null : subjectIndexOf(heldKeysOf(session).keys, tenant, subject);
  const id = await new LegalHolds(session.database).place({ tenant, subjectIndex, reason, placedBy: session.actor });
  await tell(session, { action: 'held', entity: `legal-hold:${id}`, tenant, reason });
  await warnOfUnknown(session, tenant, subjectIndex);
  print(`legal hold ${id}`);
}

async function releaseCommand(session: Session, id: string, options: { readonly reason: string }): Promise<void> {
  const reason = reasonAbout(options);
  const hold = await new LegalHolds(session.database).release(id, session.actor);
  if (!hold) throw new CommandFailure(`there is no legal hold ${id} that holds; tributary ledger holds lists them`);
  await tell(session, { action: 'released', entity: `legal-hold:${id}`, tenant: hold.tenant, reason });
  print(`released ${id}`);
}

async function holdsCommand(session: Session): Promise<void> {
  const holds = await new LegalHolds(session.database).list();
  const rows = holds.map((hold) => [
    hold.id,
    hold.tenant,
    hold.subjectIndex?.toString('hex') ?? 'all',
    hold.placedAt.toISOString(),
    hold.placedBy,
    hold.reason,
  ]);
  print(renderTable(['hold', 'tenant', 'subject', 'since', 'by', 'reason'], rows));
}

async function retireCommand(session: Session, options: RetireOptions): Promise<void> {
  if (!isMonth(options.before)) throw new CommandFailure(`--before is ${options.before}; write a month like 2026-01`);
  const retirement = new Retirement({
    months: new LedgerMonths(session.database),
    holds: new LegalHolds(session.database),
    log: retirementLogOf(session),
    nowMs: Date.now,
    ...readSettings(retentionSettings),
  });
  const plan = await retirement.plan(options.before);
  printPlan(plan);
  if (plan.months.length === 0 && plan.refusals.length > 0) throw new CommandFailure('nothing may be retired');
  if (!options.yes || plan.months.length === 0) return print('nothing was done');
  const reason = reasonAbout({ reason: options.reason ?? '' });
  await confirm(`take ${plan.months.length} months out of the ledger?`, options.yes);
  const tables = await retirement.run(plan, { actor: session.actor, reason });
  for (const table of tables) print(`${table} is out of the ledger; export it if it is needed, then drop it`);
}

function printPlan({ months, refusals }: RetirablePlan): void {
  for (const { month, rows, bytes } of months) print(`${month}: about ${rows} rows, ${Math.ceil(bytes / 2 ** 20)} MiB`);
  for (const { month, why } of refusals) print(`refused: ${month}: ${why}`);
}

async function exportCommand(session: Session, options: ExportOptions): Promise<void> {
  const reason = reasonAbout(options);
  const { dataKeys, keys } = heldKeysOf(session);
  const reader = new PersonalReader(dataKeys);
  const records = new SubjectRecords(session.database);
  const index = subjectIndexOf(keys, options.tenant, options.subject);
  if (!(await records.isKnown(index))) throw new CommandFailure('the ledger has nothing about this subject');
  // Before the first line: nobody gets what is known of a person without a trace.
  await tell(session, {
    action: 'exported',
    entity: `subject:${index.toString('hex')}`,
    tenant: options.tenant,
    reason,
  });
  for await (const fact of personFacts({ keys, subjects: records }, options)) {
    const [reading] = await reader.open([fact]);
    const { personal, subject_index, leaf_hash, ...plain } = fact;
    const told = { ...plain, personal: reading?.state === 'open' ? reading.fields : (reading?.state ?? null) };
    if (!(await output.write(`${JSON.stringify(told)}\n`))) return;
  }
}

type Told = Pick<Parameters<typeof operatedRecord>[0], 'action' | 'entity' | 'reason'> & { readonly tenant: string };

async function tell(session: Session, told: Told): Promise<void> {
  const occurredAtMs = Date.now();
  await session.platform.audit.write(
    operatedRecord({ ...told, actor: session.actor, occurredAtMs, identity: String(occurredAtMs) }),
  );
}
