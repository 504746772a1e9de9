import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  type Correction,
  corrected,
  type DeadLetter,
  describeBody,
  differenceOf,
  type EditPorts,
  editableValue,
  whyNotEditable,
  whyNotRedrivable,
} from '@tributary/operations';
import type { Command } from 'commander';
import { acting, CommandFailure, confirm, print } from '../run.js';
import type { Session } from '../session.js';
import { numberOf, openDeadLetters } from './dead-letter-selection.js';

interface EditOptions {
  readonly value?: string;
  readonly header: readonly string[];
  readonly reason: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly maxRedrives: string;
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

export function addEditCommand(program: Command, dlt: Command): void {
  dlt
    .command('edit <id>')
    .description(
      'redrive a corrected copy of one dead letter; the original stays. Ids, origin and key are never changed',
    )
    .option('--value <file>', 'the new value, in the form that `dlt show --value` prints')
    .option('--header <name=value>', 'set a header; without a value it is taken away; may be repeated', collect, [])
    .requiredOption('--reason <text>', 'why, for the audit trail')
    .option('--dry-run', 'show the difference, and do nothing')
    .option('--yes', 'do not ask')
    .option('--json', 'print as JSON')
    .option('--max-redrives <n>', 'a dead letter that was redriven so often already is left alone', '5')
    .action(acting(program, editCommand));
}

const ports = (session: Session): EditPorts => ({ codec: session.platform.codec, describe: describeBody });

export const writtenValue = async (session: Session, letter: DeadLetter): Promise<Buffer> =>
  (await editableValue(letter, ports(session))).text;

async function editCommand(session: Session, id: string, options: EditOptions): Promise<void> {
  if (options.value === undefined && options.header.length === 0) {
    throw new CommandFailure('say what to change: --value <file>, --header <name=value>');
  }
  if (options.reason.trim() === '')
    throw new CommandFailure('--reason is empty; say why, for those who read the audit trail');
  const headers = headersOf(options.header);
  const letters = openDeadLetters(session);
  const letter = await letters.show(id);
  if (letter.state === 'redriven' || letter.state === 'discarded')
    throw new CommandFailure(`${id} is ${letter.state} already`);
  const why = whyNotRedrivable(letter, numberOf('--max-redrives', options.maxRedrives, 1, 1_000));
  if (why !== undefined) throw new CommandFailure(`${id} cannot be redriven: ${why}`);
  const value = options.value === undefined ? undefined : await newValue(session, letter, options.value);
  const difference = [...(value?.difference ?? []), ...headerDifference(letter, headers)];
  if (difference.length === 0) throw new CommandFailure('nothing differs from what is there; redrive it as it is');
  if (!options.json) print(difference.join('\n'));
  if (options.dryRun)
    return options.json ? print(JSON.stringify({ id, difference }, null, 2)) : print('nothing was done');
  await confirm(`redrive ${id} with this change?`, options.yes);
  const correction: Correction = { headers, ...(value && { value: value.bytes }) };
  const act = { actor: session.actor, reason: options.reason, id: randomUUID() };
  const redriveId = await letters.redrive(letter, act, correction);
  print(
    options.json
      ? JSON.stringify({ id, redriveId, difference }, null, 2)
      : `${id} is redriven, edited (job ${redriveId})`,
  );
}

async function newValue(session: Session, letter: DeadLetter, file: string) {
  const text = readFile(file);
  const before = await writtenValue(session, letter);
  const bytes = await corrected(letter, text, ports(session));
  return { bytes, difference: differenceOf(before.toString('utf8'), text.toString('utf8')) };
}

function readFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CommandFailure(`--value ${file} cannot be read: ${(error as Error).message}`);
  }
}

function headersOf(pairs: readonly string[]): Record<string, string | undefined> {
  const headers: Record<string, string | undefined> = {};
  for (const pair of pairs) {
    const [name = '', ...rest] = pair.split('=');
    const why = whyNotEditable(name);
    if (why !== undefined) throw new CommandFailure(`--header ${pair}: ${why}`);
    headers[name] = rest.length === 0 || rest.join('=') === '' ? undefined : rest.join('=');
  }
  return headers;
}

function headerDifference({ record }: DeadLetter, headers: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(headers).flatMap(([name, value]) => {
    const before = record.headers[name];
    if (before === value) return [];
    return [
      ...(before === undefined ? [] : [`- header ${name}: ${before}`]),
      ...(value === undefined ? [] : [`+ header ${name}: ${value}`]),
    ];
  });
}
