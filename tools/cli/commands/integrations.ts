import type { Connection, Suspension } from '@tributary/contracts';
import { activeSuspension } from '@tributary/control';
import { type Plan, readIntegrationFiles } from '@tributary/control/apply';
import { openIntegrationTables, planAgainst } from '@tributary/operations';
import type { Command } from 'commander';
import { acting, CommandFailure, confirm, print } from '../run.js';
import type { Session } from '../session.js';
import { renderTable } from '../table.js';

interface Options {
  readonly file: string[];
  readonly prune?: boolean;
  readonly yes?: boolean;
  readonly reason: string;
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

export function addIntegrationCommands(program: Command): void {
  program
    .command('plan')
    .description('show what apply would change')
    .requiredOption('-f, --file <path>', 'YAML file or folder; may be repeated', collect)
    .option('--prune', 'delete what is applied and in no file')
    .action(
      acting(program, async (session, options: Options) => {
        showPlan((await makePlan(session, options)).plan);
      }),
    );
  program
    .command('apply')
    .description('write connections, subscriptions and API keys from YAML to the control topics')
    .requiredOption('-f, --file <path>', 'YAML file or folder; may be repeated', collect)
    .option('--prune', 'delete what is applied and in no file')
    .option('--reason <text>', 'why, for the audit trail', 'apply')
    .option('--yes', 'do not ask')
    .action(acting(program, applyIntegrations));
  program
    .command('resume <connection>')
    .description('end a suspension: the records of the connection flow again')
    .requiredOption('--reason <text>', 'what was mended, for the audit trail')
    .action(
      acting(program, async (session, connection: string, options: { reason: string }) => {
        const { writer, tables } = await openTables(session);
        if (!tables.suspensions.get(connection)) throw new CommandFailure(`connection ${connection} is not suspended`);
        await writer.resume(connection, options.reason);
        print(`connection ${connection} is resumed`);
      }),
    );
  program
    .command('connections')
    .description('list connections and their suspensions')
    .action(
      acting(program, async (session) => {
        const { tables } = await openTables(session);
        const rows = [...tables.connections.all().values()].sort((a, b) => (a.id < b.id ? -1 : 1));
        print(
          renderTable(
            ['connection', 'tenant', 'at', 'state'],
            rows.map((row) => connectionRow(row, activeSuspension(tables.suspensions.get(row.id), Date.now()))),
          ),
        );
      }),
    );
}

const connectionRow = (row: Connection, suspension: Suspension | undefined) => [
  row.id,
  row.tenant,
  row.source ?? row.destination ?? '',
  suspension ? `suspended${untilOf(suspension)}: ${suspension.reason}` : 'active',
];

const untilOf = ({ until }: Suspension): string => (until === null ? '' : ` until ${new Date(until).toISOString()}`);

/** What `apply` does. @throws CommandFailure with every problem of the files; then nothing was written. */
export async function applyIntegrations(session: Session, options: Options): Promise<void> {
  const { plan, writer } = await makePlan(session, options);
  showPlan(plan);
  if (plan.changes.length > 0) await confirm(`apply ${plan.changes.length} changes?`, options.yes);
  await writer.apply(plan, options.reason);
  print(plan.changes.length === 0 ? 'nothing to do' : `applied ${plan.changes.length} changes`);
}

async function openTables(session: Session) {
  const opened = await openIntegrationTables(session.platform, session.actor);
  session.closeWith(() => opened.close());
  return opened;
}

async function makePlan(session: Session, options: Options) {
  const { integrations, problems } = readIntegrationFiles(options.file, process.env);
  if (problems.length > 0) throw nothingApplied(problems);
  const { tables, writer } = await openTables(session);
  const result = planAgainst({
    integrations,
    tables,
    actor: session.actor,
    prune: options.prune ?? false,
    readSecret: (reference) => readSecret(session, reference),
  });
  if (!result.ok) throw nothingApplied(result.problems);
  return { plan: result.plan, writer };
}

const nothingApplied = (problems: readonly string[]) =>
  new CommandFailure(`nothing was applied:\n  ${problems.join('\n  ')}`);

function readSecret(session: Session, reference: string): string {
  const reading = session.secrets.reader.read(reference);
  if (!reading.ok) throw new CommandFailure(`secret ${reference}: ${reading.reason}`);
  return reading.value;
}

const signs = { create: '+', update: '~', delete: '-' } as const;
const words = { connections: 'connection', subscriptions: 'subscription', apiKeys: 'api key' } as const;

function showPlan({ changes, unchanged, notes }: Plan): void {
  for (const { act, table, id, fields } of changes) {
    print(`${signs[act]} ${words[table]} ${id}${fields.length > 0 ? ` (${fields.join(', ')})` : ''}`);
  }
  for (const note of notes) print(`! ${note}`);
  print(`${changes.length} changes, ${unchanged} unchanged`);
}
