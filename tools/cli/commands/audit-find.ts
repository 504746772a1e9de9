import { csvRow } from '@tributary/operations';
import { type AuditFact, AuditReader, filterNames, parseAuditFilter } from '@tributary/operations/audit';
import { LedgerView, subjectIndexOf } from '@tributary/persistence';
import type { Command } from 'commander';
import { type Output, output } from '../output.js';
import { acting, CommandFailure, print } from '../run.js';
import type { Session } from '../session.js';
import { oneLine, renderTable } from '../table.js';

/** A table is in memory as a whole. */
const mostInTable = 10_000;

type FindOptions = Readonly<Partial<Record<(typeof filterNames)[number], string>>> & {
  readonly limit: string;
  readonly json?: boolean;
  readonly csv?: boolean;
};

const help: Readonly<Record<(typeof filterNames)[number], string>> = {
  tenant: 'of this tenant',
  event: 'about this event id',
  delivery: 'about this delivery id',
  entity: 'about this entity, such as connection:out or dead-letter:<id>',
  actor: 'by this actor, such as cli/ada',
  connection: 'of this connection',
  destination: 'of this destination',
  action: 'of this action, such as settled or redriven',
  outcome: 'with this outcome, such as delivered or dead',
  subject: 'about this person; needs --tenant and the keys of the ledger',
  from: 'recorded at or after this time (ISO 8601 with a zone)',
  to: 'recorded before this time',
};

export function addAuditFindCommand(program: Command): void {
  const audit =
    program.commands.find((command) => command.name() === 'audit') ??
    program.command('audit').description('the audit trail in the ledger');
  const find = audit.command('find').description('records of the audit trail, from new to old');
  for (const name of filterNames) find.option(`--${name} <${name}>`, help[name]);
  find
    .option('--limit <n>', 'most to show', '100')
    .option('--json', 'print as JSON')
    .option('--csv', 'print as CSV, safe to open in a spreadsheet')
    .action(acting(program, findCommand));
}

async function findCommand(session: Session, { limit, json, csv, ...given }: FindOptions): Promise<void> {
  if (!/^\d{1,6}$/.test(limit) || Number(limit) < 1)
    throw new CommandFailure(`--limit is ${limit}; it must be a whole number from 1 to 999999`);
  if (json && csv) throw new CommandFailure('--json and --csv exclude each other');
  if (!json && !csv && Number(limit) > mostInTable)
    throw new CommandFailure(`a table shows ${mostInTable} records at most; --json and --csv write any number`);
  const facts = readerOf(session).findAll('all-tenants', parseAuditFilter(given), Number(limit));
  if (csv) return writeCsv(output, facts);
  if (json) return writeJson(output, facts);
  const found: AuditFact[] = [];
  for await (const fact of facts) found.push(fact);
  print(found.length === 0 ? 'nothing found' : renderFacts(found));
}

function readerOf(session: Session): AuditReader {
  const { heldKeys, personal } = session;
  return new AuditReader({
    view: new LedgerView(session.database),
    ...(heldKeys &&
      personal && {
        keys: { personal, indexOfSubject: (tenant, subject) => subjectIndexOf(heldKeys.keys, tenant, subject) },
      }),
  });
}

const columns = [
  'recordedAt',
  'position',
  'auditId',
  'occurredAt',
  'stage',
  'action',
  'outcome',
  'actor',
  'onBehalfOf',
  'tenant',
  'source',
  'connection',
  'destination',
  'operation',
  'eventSource',
  'event',
  'eventType',
  'entity',
  'delivery',
  'subscription',
  'attempt',
  'origin',
  'errorClass',
  'errorCode',
  'durationMs',
  'payloadDigest',
  'traceId',
  'personal',
  'subject',
  'reason',
  'receipt',
] as const satisfies readonly (keyof AuditFact)[];

type Answer = Pick<Output, 'write'>;

async function writeCsv(answer: Answer, facts: AsyncIterable<AuditFact>): Promise<void> {
  await answer.write(csvRow([...columns, 'details']));
  for await (const fact of facts) {
    const row = csvRow([...columns.map((name) => fact[name]), JSON.stringify(fact.details)]);
    if (!(await answer.write(row))) return;
  }
}

/** One list, of which only a page is in memory. */
export async function writeJson(answer: Answer, facts: AsyncIterable<unknown>): Promise<void> {
  let before = '[\n';
  for await (const fact of facts) {
    const text = JSON.stringify(fact, null, 2).replaceAll(/^/gm, '  ');
    if (!(await answer.write(`${before}${text}`))) return;
    before = ',\n';
  }
  await answer.write(before === '[\n' ? '[]\n' : '\n]\n');
}

/** What cannot be read is said before what can: a blank would look as if there had been no reason. */
function whyOf({ personal, reason, errorCode }: AuditFact): string {
  if (personal === 'locked') return 'locked: needs LEDGER_KEYS_FILE';
  if (personal === 'erased') return 'erased';
  return reason ?? errorCode ?? '';
}

export function renderFacts(facts: readonly AuditFact[]): string {
  const rows = facts.map((fact) => [
    fact.recordedAt,
    fact.stage,
    fact.action,
    fact.outcome,
    fact.actor,
    fact.tenant ?? '',
    oneLine(fact.event ?? fact.entity ?? ''),
    [fact.destination, fact.connection].filter(Boolean).join('/'),
    oneLine(whyOf(fact)),
  ]);
  return renderTable(['recorded', 'stage', 'action', 'outcome', 'actor', 'tenant', 'about', 'where', 'reason'], rows);
}
