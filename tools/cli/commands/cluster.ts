import { setTimeout as pause } from 'node:timers/promises';
import { optionalLedgerKeySettings, readSettings } from '@tributary/config';
import { encodedTopics } from '@tributary/operations';
import {
  defaultKeysUrl,
  grantServices,
  migrate,
  pendingMigrations,
  prepareKeyDatabase,
  roleOf,
  servicesWithTables,
} from '@tributary/persistence';
import { allTopics } from '@tributary/registry/topics';
import type { Command } from 'commander';
import { acting, CommandFailure, confirm, print } from '../run.js';
import type { Session } from '../session.js';
import { renderTable } from '../table.js';

interface YesOption {
  readonly yes?: boolean;
}

interface DatabaseOptions extends YesOption {
  readonly grant?: boolean;
}

interface WaitOptions {
  readonly seconds: string;
}

interface TopicOptions extends YesOption {
  readonly partitions?: string;
  readonly replication?: string;
}

export function addClusterCommands(program: Command): void {
  const topics = program.command('topics').description('topics of the catalogue against the cluster');
  topics
    .command('list')
    .description('the catalogue')
    .action(() => {
      const rows = allTopics().map((topic) => [topic.name, topic.partitions, topic.cleanup, topic.key, topic.owner]);
      print(renderTable(['topic', 'partitions', 'cleanup', 'key', 'written by'], rows));
    });
  for (const name of ['plan', 'apply'] as const) {
    topics
      .command(name)
      .description(
        name === 'plan' ? 'show what apply would create' : 'create what is missing; never deletes, never shrinks',
      )
      .option('--partitions <n>', 'partitions of new topics of more than one')
      .option('--replication <n>', 'replicas of new topics')
      .option('--yes', 'do not ask')
      .action(acting(program, (session, options: TopicOptions) => topicsCommand(session, options, name === 'apply')));
  }
  const schemas = program.command('schemas').description('Avro schemas of this release against the registry');
  schemas
    .command('list')
    .description('records and versions')
    .action(() => {
      for (const { name, records } of encodedTopics()) for (const record of records) print(`${name}-${record}`);
    });
  for (const name of ['plan', 'register'] as const) {
    schemas
      .command(name)
      .description(
        name === 'plan'
          ? 'show what register would add'
          : 'register what is missing under FULL_TRANSITIVE; never deletes',
      )
      .option('--yes', 'do not ask')
      .action(acting(program, (session, options: YesOption) => schemasCommand(session, name === 'register', options)));
  }
  const database = program.command('database').description('tables of the ledger and the inbox');
  for (const name of ['plan', 'migrate'] as const) {
    database
      .command(name)
      .description(name === 'plan' ? 'show which migrations are missing' : 'run the missing migrations')
      .option('--yes', 'do not ask')
      .option(
        '--grant',
        'after migrating, give the role of each service the rights that it needs, and make missing roles',
      )
      .action(
        acting(program, (session, options: DatabaseOptions) => databaseCommand(session, name === 'migrate', options)),
      );
  }
  database
    .command('wait')
    .description('wait until no migration is missing; for pods that start while it runs')
    .option('--seconds <n>', 'at most; then it exits with 1', '600')
    .action(acting(program, (session, options: WaitOptions) => waitForTables(session, options)));
}

async function topicsCommand(session: Session, options: TopicOptions, apply: boolean): Promise<void> {
  const plan = await session.admin.plan(allTopics(), {
    ...(options.partitions && { partitions: Number(options.partitions) }),
    ...(options.replication && { replication: Number(options.replication) }),
  });
  for (const { topic, partitions, replication } of plan.create)
    print(`+ ${topic.name} (${partitions} partitions, ${replication} replicas)`);
  for (const { topic, what, wanted, found } of plan.differences)
    print(`! ${topic}: ${what} is ${found}, the catalogue says ${wanted}`);
  print(`${plan.create.length} to create, ${plan.differences.length} that differ and are left alone`);
  if (!apply || plan.create.length === 0) return;
  await confirm(`create ${plan.create.length} topics?`, options.yes);
  await session.admin.apply(plan);
}

async function schemasCommand(session: Session, register: boolean, { yes }: YesOption): Promise<void> {
  const steps = await session.schemas.plan(encodedTopics());
  const missing = steps.filter((step) => !step.isRegistered);
  for (const { subject, version } of missing) print(`+ ${subject} v${version}`);
  print(`${missing.length} to register, ${steps.length - missing.length} registered`);
  if (!register || missing.length === 0) return;
  await confirm(`register ${missing.length} schema versions?`, yes);
  await session.schemas.apply(steps);
}

async function databaseCommand(session: Session, run: boolean, { yes, grant }: DatabaseOptions): Promise<void> {
  const pending = await pendingMigrations(session.databaseUrl);
  for (const name of pending) print(`+ ${name}`);
  print(`${pending.length} migrations to run`);
  if (!run) return;
  const { keysDatabaseUrl } = readSettings(optionalLedgerKeySettings);
  const keysUrl = keysDatabaseUrl ?? defaultKeysUrl(session.databaseUrl);
  await prepareKeyDatabase(keysUrl);
  if (pending.length > 0) {
    await confirm('run them?', yes);
    const ran = await migrate(session.databaseUrl);
    print(`${ran.length} migrations ran`);
  }
  if (!grant) return;
  await grantServices({ databaseUrl: session.databaseUrl, keysUrl });
  print(`the roles ${servicesWithTables.map(roleOf).join(', ')} have their rights`);
}

const lookEveryMs = 1_000;

async function waitForTables({ databaseUrl }: Session, { seconds }: WaitOptions): Promise<void> {
  if (!/^[1-9]\d{0,5}$/.test(seconds)) throw new CommandFailure(`--seconds is ${seconds}; give a whole number from 1`);
  const deadline = Date.now() + Number(seconds) * 1_000;
  for (;;) {
    const missing = await pendingMigrations(databaseUrl).catch((error: Error) => error);
    if (!(missing instanceof Error) && missing.length === 0) return print('all tables are there');
    if (Date.now() + lookEveryMs > deadline) throw new CommandFailure(stillMissing(missing, seconds));
    await pause(lookEveryMs);
  }
}

function stillMissing(missing: readonly string[] | Error, seconds: string): string {
  const why = missing instanceof Error ? missing.message : `${missing.join(', ')} did not run`;
  return `after ${seconds} s the tables are not there: ${why}; run "tributary database migrate"`;
}
