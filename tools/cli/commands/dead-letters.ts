import { DeadLetterGroups, type DeadLetterSummary, summaryOf } from '@tributary/operations';
import type { Command } from 'commander';
import { acting, print } from '../run.js';
import type { Session } from '../session.js';
import { addDeadLetterActs } from './dead-letter-acts.js';
import { addEditCommand, writtenValue } from './dead-letter-edits.js';
import {
  type FilterOptions,
  filterOf,
  numberOf,
  openDeadLetters,
  topicsFor,
  withFilters,
} from './dead-letter-selection.js';
import { renderGroups, renderList } from './dead-letter-view.js';

interface ListOptions extends FilterOptions {
  readonly limit: string;
}

interface ShowOptions {
  readonly value?: boolean;
  readonly json?: boolean;
}

const stateOption = ['--state <state>', 'open, unfinished, redriven, discarded or all', 'open'] as const;

export function addDeadLetterCommands(program: Command): void {
  const dlt = program.command('dlt').description('dead letters: what will not succeed by itself');
  withFilters(dlt.command('groups').description('dead letters by cause: how many, since when, whose, and an example'))
    .option(...stateOption)
    .option('--json', 'print as JSON')
    .action(acting(program, groupsCommand));
  withFilters(dlt.command('list').description('dead letters and how they stand, by topic, partition and offset'))
    .option(...stateOption)
    .option('--limit <n>', 'most to show', '1000')
    .option('--json', 'print as JSON')
    .action(acting(program, listCommand));
  dlt
    .command('show <id>')
    .description('one dead letter with its headers and value')
    .option('--value', 'print the value alone, in the form that `dlt edit` takes')
    .option('--json', 'print as JSON')
    .action(acting(program, showCommand));
  addDeadLetterActs(program, dlt);
  addEditCommand(program, dlt);
}

async function groupsCommand(session: Session, options: FilterOptions): Promise<void> {
  const filter = filterOf(options);
  const groups = new DeadLetterGroups();
  for await (const letter of openDeadLetters(session).find(await topicsFor(session, options), filter))
    groups.add(letter);
  if (options.json) return print(JSON.stringify({ groups: groups.list(), beyond: groups.beyond }, null, 2));
  print(groups.total === 0 ? 'no dead letters' : renderGroups(groups));
}

async function listCommand(session: Session, options: ListOptions): Promise<void> {
  const filter = filterOf(options);
  const limit = numberOf('--limit', options.limit, 1, 100_000);
  const rows: DeadLetterSummary[] = [];
  let isMore = false;
  for await (const letter of openDeadLetters(session).find(await topicsFor(session, options), filter)) {
    isMore = rows.length === limit;
    if (isMore) break;
    rows.push(summaryOf(letter));
  }
  const hint = `there are more than ${limit}: narrow it with filters, raise --limit, or see tributary dlt groups`;
  if (isMore) process.stderr.write(`tributary: ${hint}\n`);
  if (options.json) return print(JSON.stringify(rows, null, 2));
  print(rows.length === 0 ? 'no dead letters' : renderList(rows));
}

async function showCommand(session: Session, id: string, options: ShowOptions): Promise<void> {
  const letter = await openDeadLetters(session).show(id);
  if (options.value) {
    process.stdout.write(await writtenValue(session, letter));
    return;
  }
  const { headers, value } = letter.record;
  const shown = value ? await readable(session, value) : null;
  const summary = { ...summaryOf(letter), act: letter.act ?? null, headers };
  if (options.json) return print(JSON.stringify({ ...summary, value: shown }, null, 2));
  print(JSON.stringify(summary, null, 2));
  if (shown) print(`${shown.record} ${JSON.stringify(shown.value, null, 2)}`);
}

interface ReadableValue {
  readonly record: string;
  readonly value: unknown;
}

async function readable(session: Session, bytes: Buffer): Promise<ReadableValue> {
  try {
    const { recordName, value } = await session.platform.codec.decode<Record<string, unknown>>(bytes);
    const text = JSON.stringify(value, (_, member) =>
      Buffer.isBuffer(member) ? member.toString('utf8') : asText(member),
    );
    return { record: recordName, value: JSON.parse(text) };
  } catch (error) {
    const record = `the value is not readable (${(error as Error).message}); base64:`;
    return { record, value: bytes.toString('base64') };
  }
}

// JSON.stringify asks a Buffer for its own JSON form before the replacer sees it.
function asText(member: unknown): unknown {
  const bytes = member as { type?: string; data?: number[] } | null;
  return bytes?.type === 'Buffer' && bytes.data ? Buffer.from(bytes.data).toString('utf8') : member;
}
